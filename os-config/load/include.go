package load

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/atomicfile"
)

// includes answers for #include: with what was read since the boot, else with
// the copy of an earlier one. It notes what is not there yet.
type includes struct {
	l   *Loader
	out *Result
}

// errLater ends up in a report; see settle.
var errLater = errors.New("the network is needed")

func (i includes) Fetch(_ context.Context, url string) ([]byte, error) {
	if data, ok := i.l.Included[url]; ok {
		return data, nil
	}
	if !slices.Contains(i.out.Includes, url) {
		i.out.Includes = append(i.out.Includes, url)
	}
	if data, err := os.ReadFile(i.l.includePath(url)); err == nil {
		return data, nil
	}
	return nil, errLater
}

// settle makes a warning of what is only not there yet.
func settle(r osconfig.Report) osconfig.Report {
	for i, p := range r {
		if p.Severity == osconfig.Error && strings.HasSuffix(p.Text, errLater.Error()) {
			r[i].Severity = osconfig.Warning
		}
	}
	return r
}

func (l *Loader) includePath(url string) string {
	sum := sha256.Sum256([]byte(url))
	return filepath.Join(l.Root, ConfDir, "datasource/include-"+hex.EncodeToString(sum[:8]))
}

func (l *Loader) keepInclude(url string, data []byte) {
	path := l.includePath(url)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = atomicfile.WriteFile(path, data, 0o600)
	}
	if err != nil {
		l.log().Warn("include is not kept", "error", err)
	}
}
