package logging

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseRecord(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		want record
		bad  bool
	}{
		"kernel":     {in: "6,339,5140900,-;NET: family 10\n", want: record{0, 5140900 * time.Microsecond, "NET: family 10"}},
		"dictionary": {in: "4,1,2,-;text\n SUBSYSTEM=pci\n DEVICE=+pci:0\n", want: record{0, 2 * time.Microsecond, "text"}},
		"user space": {in: "30,5,7,-;init: hello; there\n", want: record{3, 7 * time.Microsecond, "init: hello; there"}},
		"caller":     {in: "6,1,9,-,caller=T1;text\n", want: record{0, 9 * time.Microsecond, "text"}},
		"escaped":    {in: `6,1,9,-;caf\xc3\xa9 \x5c \x1b[1m \xzz` + "\n", want: record{0, 9 * time.Microsecond, `café \  [1m \xzz`}},
		"not UTF-8":  {in: `6,1,9,-;\xff` + "\n", want: record{0, 9 * time.Microsecond, "\uFFFD"}},
		"no end":     {in: "6,1,9,-;text", want: record{0, 9 * time.Microsecond, "text"}},
		"no prefix":  {in: "text", bad: true},
		"few fields": {in: "6,1;text", bad: true},
		"priority":   {in: "x,1,9,-;text", bad: true},
		"time":       {in: "6,1,x,-;text", bad: true},
		"empty":      {bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseRecord([]byte(tc.in))
			if (err != nil) != tc.bad {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
