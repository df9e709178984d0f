// Package leasefile is netconf.LeaseStore: DHCPv4 leases as JSON files below a
// directory, one for each link: its permanent hardware address, and its name
// where links share one. It refuses to
// judge whether a lease may be used: what it returns is to be asked for
// (INIT-REBOOT), and only a server can say yes.
package leasefile

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/system/atomicfile"
)

const (
	// mostFiles bounds how many links are remembered; the newest stay. USB
	// adapters and virtual machines' NICs come with ever new addresses.
	mostFiles = 64
	// largestFile is more than a DHCP message can make of it, bytes.
	largestFile = 64 << 10
	suffix      = ".json"
	damaged     = ".damaged" // follows suffix; kept for who wants to know why
)

// Options of a Store. Zero fields take what is right for a real machine.
type Options struct {
	Log *slog.Logger     // nil discards
	Now func() time.Time // nil is time.Now
}

// Store keeps leases below a directory.
type Store struct {
	dir  string
	log  *slog.Logger
	now  func() time.Time
	lock sync.Mutex // one writer
}

var _ netconf.LeaseStore = (*Store)(nil)

// New returns a Store below dir, which the first Save makes.
func New(dir string, opts Options) *Store {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Store{dir: dir, log: opts.Log, now: opts.Now}
}

// Load returns the lease of a link, nil if there is none or it is over. Its
// start is left out, so that nobody takes it for one that counts: whether the
// machine is still in the network that it is from, nobody knows yet. Its
// duration is what is left of it. A clock that stands before the lease's start
// is wrong, and does not end a lease. A file that cannot be read as a lease is
// logged and put aside.
func (s *Store) Load(id string) *netconf.Lease {
	path, err := s.path(id)
	if err != nil {
		s.log.Warn("kept lease", "err", err)
		return nil
	}
	text, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var lease *netconf.Lease
	if err == nil {
		lease, err = decode(text)
	}
	if err != nil {
		s.log.Warn("kept lease is put aside", "file", path, "err", err)
		if err := os.Rename(path, path+damaged); err != nil {
			s.log.Warn("kept lease", "err", err)
		}
		return nil
	}
	now := s.now()
	if lease.Expired(now) {
		return nil
	}
	if lease.Duration > 0 && !lease.Acquired.IsZero() {
		lease.Duration -= max(now.Sub(lease.Acquired), 0)
	}
	lease.Acquired = time.Time{}
	return lease
}

// Save keeps a lease; nil forgets it.
func (s *Store) Save(id string, lease *netconf.Lease) error {
	path, err := s.path(id)
	if err != nil {
		return err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if lease == nil {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget lease: %w", err)
		}
		return nil
	}
	text, err := encode(lease)
	if err != nil {
		return fmt.Errorf("keep lease: %w", err)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("keep lease: %w", err)
	}
	if err := atomicfile.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("keep lease: %w", err)
	}
	return s.prune(filepath.Base(path))
}

// path is the file of a link's id. A name of a link has no slash.
func (s *Store) path(id string) (string, error) {
	mac, name, named := strings.Cut(id, "@")
	hardware, err := net.ParseMAC(mac)
	if err != nil || strings.ContainsAny(name, "/\x00") {
		return "", fmt.Errorf("lease of a link: %q is not a hardware address, nor one with a link's name", id)
	}
	file := strings.ReplaceAll(hardware.String(), ":", "-")
	if named {
		file += "@" + name
	}
	return filepath.Join(s.dir, file+suffix), nil
}

// prune removes the oldest files when there are too many. The one that was
// just written stays, wherever the clock stands.
func (s *Store) prune(written string) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("old leases: %w", err)
	}
	var files []fs.FileInfo
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), damaged)
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && strings.HasSuffix(name, suffix) && e.Name() != written {
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int {
		return cmp.Or(b.ModTime().Compare(a.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	var errs []error
	for _, f := range files[min(len(files), mostFiles-1):] {
		errs = append(errs, os.Remove(filepath.Join(s.dir, f.Name())))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("old leases: %w", err)
	}
	return nil
}

// readFile reads a file that is not absurdly long.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, largestFile+1))
	if err == nil && len(text) > largestFile {
		err = fmt.Errorf("longer than %d bytes", largestFile)
	}
	return text, err
}

func encode(lease *netconf.Lease) ([]byte, error) {
	return json.MarshalIndent(newRecord(lease), "", "\t")
}

func decode(text []byte) (*netconf.Lease, error) {
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, err
	}
	return r.lease()
}
