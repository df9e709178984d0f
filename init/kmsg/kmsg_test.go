package kmsg

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestHandler(t *testing.T) {
	var b bytes.Buffer
	log := NewLogger(&b, "init").With("stage", 1)
	log.Debug("not shown")
	log.Info("found", "source", "/dev/vda", "took", 5*time.Millisecond)
	log.Warn("odd", "err", errors.New("one\ntwo"))
	log.Error(strings.Repeat("x", 5000))
	lines := strings.Split(b.String(), "\n")
	for i, want := range []string{
		"<6>init: found stage=1 source=/dev/vda took=5ms",
		`<4>init: odd stage=1 err="one; two"`,
		"<3>init: " + strings.Repeat("x", maxLine),
		"",
	} {
		if lines[i] != want {
			t.Errorf("line %d: %.200q", i, lines[i])
		}
	}
}
