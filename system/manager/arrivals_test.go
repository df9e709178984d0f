package manager

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/console/setup"
)

// TestArrivals: each mount is handled once, also by a manager that starts anew;
// one that has gone and comes again is another one.
func TestArrivals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "arrivals.json")
	handled, err := readArrivals(path)
	if err != nil || len(handled) > 0 {
		t.Fatal(handled, err)
	}
	a, b := setup.Arrival{Point: "/mnt/a", Device: "0:50"}, setup.Arrival{Point: "/mnt/b", Device: "0:51"}
	again := setup.Arrival{Point: "/mnt/a", Device: "0:52"}
	for _, step := range []struct{ list, fresh []setup.Arrival }{
		{nil, nil},
		{[]setup.Arrival{a}, []setup.Arrival{a}},
		{[]setup.Arrival{a, b}, []setup.Arrival{b}},
		{[]setup.Arrival{a, b}, nil},
		{[]setup.Arrival{b, again}, []setup.Arrival{again}},
		{nil, nil},
		{[]setup.Arrival{a}, []setup.Arrival{a}},
	} {
		now, fresh := compareArrivals(handled, step.list)
		if d := cmp.Diff(step.fresh, fresh); d != "" {
			t.Errorf("%v after %v: %s", step.list, handled, d)
		}
		if err := writeArrivals(path, append(now, fresh...)); err != nil {
			t.Fatal(err)
		}
		if handled, err = readArrivals(path); err != nil || len(handled) != len(step.list) {
			t.Errorf("kept %v, %v", handled, err)
		}
	}
	if err := os.WriteFile(path, []byte("half of"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readArrivals(path); err == nil {
		t.Error("a broken list is read")
	}
}
