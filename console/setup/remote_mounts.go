package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/linux"
)

const (
	// CoverSource is the mount source of covers. It tells them from what the
	// user mounts, in every mount table of the machine.
	CoverSource = "pharos-waits"
	// remoteWait is how long the commands of the configuration wait for a
	// server, from the first attempt on.
	remoteWait = 60 * time.Second
	// longestPause is the longest time between two tries.
	longestPause = time.Minute
	// dropWait bounds the wait for a mount(8) that was told to end.
	dropWait = 5 * time.Second
)

// Arrival is a mount from a server that is there.
type Arrival struct {
	Point  string `json:"point"`  // mount point, without links
	Device string `json:"device"` // MAJOR:MINOR, as in mountinfo
}

// attempt mounts one row from a server, however long that takes.
type attempt struct {
	row   row
	begun time.Time
	stop  context.CancelFunc
	ended chan struct{}
	// The mutex of setup guards these.
	err  error // of the last try
	late bool  // remoteWait has passed
}

// cover makes the mount points of the rows that are still to come from servers,
// and mounts an empty read-only file system on each, so that containers do not
// keep data below what will be mounted there. The row is mounted on top of the
// cover, so the place is never uncovered in between.
func (s *setup) cover(ctx context.Context, p Plan) error {
	done := s.mountsDone()
	var errs []error
	for _, r := range rows(p.Mounts, p.MountDefaults) {
		if !r.onServer() || r.noauto || r.wrong() != nil || slices.Contains(done, r.key()) {
			continue
		}
		if below(r.point, r.on) { // covered by the other row's cover, and by its own attempt after that
			continue
		}
		if err := s.coverRow(ctx, r); err != nil {
			errs = append(errs, r.failed(err))
		}
	}
	return errors.Join(errs...)
}

func (s *setup) coverRow(ctx context.Context, r row) error {
	mounts, err := s.mountTable()
	if err != nil {
		return err
	}
	point := s.mountPlace(mounts, r.point)
	if at, _ := linux.MountAt(mounts, point); at.Source == CoverSource || s.isMounted(mounts, r) {
		return nil // also where another row's cover has the point
	}
	if slices.ContainsFunc(mounts, func(m linux.MountInfo) bool { return m.Source == CoverSource && m.Target == point }) {
		return nil // below what an earlier row has mounted
	}
	if err := os.MkdirAll(s.path(r.point), 0o755); err != nil {
		return err
	}
	_, err = s.tool(ctx, "", "mount", "-t", "tmpfs", "-o", "ro,nosuid,nodev,noexec,size=4k,mode=0555", CoverSource, filepath.Clean(r.point))
	return err
}

// uncover removes the covers that no row of the plan has a use for.
func (s *setup) uncover(ctx context.Context, wanted []row) error {
	mounts, err := s.mountTable()
	if err != nil {
		return err
	}
	var used []string
	for _, r := range wanted {
		if r.onServer() && !r.noauto {
			used = append(used, s.mountPlace(mounts, r.point))
		}
	}
	var errs []error
	for _, m := range slices.Backward(mounts) {
		if m.Source != CoverSource || slices.Contains(used, m.Target) {
			continue
		}
		if top, _ := linux.MountAt(mounts, m.Target); top.ID != m.ID {
			continue // what is mounted on it goes first
		}
		// Lazily: there is nothing in it that could be in use.
		if _, err := s.tool(ctx, "", "umount", "-l", m.Target); err != nil {
			errs = append(errs, fmt.Errorf("mounts: %s: %w", m.Target, err))
		}
	}
	return errors.Join(errs...)
}

// mountTable lists the console's mounts.
func (s *setup) mountTable() ([]linux.MountInfo, error) {
	return linux.MountsIn(s.path("/proc/self/mountinfo"))
}

// mountPlace is where a mount point is in the mount table. Links are followed,
// unless something is mounted there, or a server that is away would have to
// answer.
func (s *setup) mountPlace(mounts []linux.MountInfo, point string) string {
	point = filepath.Clean(point)
	if at, ok := linux.MountAt(mounts, point); ok && (at.Target == point || at.Remote()) {
		return point
	}
	real, err := filepath.EvalSymlinks(s.path(point))
	if err != nil {
		return point
	}
	return filepath.Join("/", strings.TrimPrefix(real, filepath.Clean(s.Root)))
}

// onCover reports whether a path is in the place of a mount that has not come.
func (s *setup) onCover(path string) bool {
	mounts, err := s.mountTable()
	if err != nil {
		return false
	}
	m, ok := linux.MountAt(mounts, filepath.Clean(path))
	return ok && m.Source == CoverSource
}

// arrivedAt is the mount on a point, unless that is a cover.
func (s *setup) arrivedAt(mounts []linux.MountInfo, point string) (linux.MountInfo, bool) {
	place := s.mountPlace(mounts, point)
	m, ok := linux.MountAt(mounts, place)
	return m, ok && m.Target == place && m.Source != CoverSource
}

// isMounted reports whether a row from a server is mounted already: by a
// console that ended before it said so, or by hand.
func (s *setup) isMounted(mounts []linux.MountInfo, r row) bool {
	m, ok := s.arrivedAt(mounts, r.point)
	return ok && r.remote() && strings.TrimRight(m.Source, "/") == strings.TrimRight(r.device, "/")
}

// arrivals are the mounts of the plan that have come from servers, in the order
// in which they came.
func (s *setup) arrivals(p Plan) []Arrival {
	mounts, err := s.mountTable()
	if err != nil {
		return nil
	}
	wanted := rows(p.Mounts, p.MountDefaults)
	var list []Arrival
	for _, key := range s.mountsDone() {
		i := slices.IndexFunc(wanted, func(r row) bool { return r.onServer() && r.key() == key })
		if i < 0 {
			continue
		}
		if m, ok := s.arrivedAt(mounts, wanted[i].point); ok {
			list = append(list, Arrival{Point: m.Target, Device: m.Device})
		}
	}
	return list
}

// startAttempts begins to mount what of the plan is on servers. All rows are
// tried side by side: a server that does not answer holds no other one up.
func (s *setup) startAttempts(ctx context.Context, p Plan) {
	done := s.mountsDone()
	for _, r := range rows(p.Mounts, p.MountDefaults) {
		if !r.onServer() || r.noauto || slices.Contains(done, r.key()) || s.attempts[r.key()] != nil {
			continue
		}
		if err := r.wrong(); err != nil {
			s.problem(r.failed(err))
			continue
		}
		a := &attempt{row: r, begun: time.Now(), ended: make(chan struct{})}
		ctx, stop := context.WithCancel(ctx)
		a.stop = stop
		s.mu.Lock()
		if s.attempts == nil {
			s.attempts, s.again = map[string]*attempt{}, make(chan struct{})
		}
		s.attempts[r.key()] = a
		s.mu.Unlock()
		s.running.Go(func() {
			defer close(a.ended)
			s.try(ctx, a)
		})
	}
}

// dropAttempts ends the attempts at rows that are not wanted any more. One that
// has just succeeded is recorded, so that its row is unmounted.
func (s *setup) dropAttempts(wanted []row) error {
	var errs []error
	for key, a := range s.attempts {
		if slices.ContainsFunc(wanted, func(r row) bool { return r.key() == key && slices.Equal(r.on, a.row.on) }) {
			continue
		}
		a.stop()
		select {
		case <-a.ended:
		case <-time.After(dropWait):
			s.log.Warn("mount does not end", "point", a.row.point)
		}
		s.forget(a)
		mounts, err := s.mountTable()
		if err == nil && s.isMounted(mounts, a.row) {
			err = s.keepMountsDone(append(s.mountsDone(), key))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *setup) forget(a *attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.attempts, a.row.key())
}

// try mounts a row when that works, and says so on the channel came. The pauses
// grow with the time that it has taken already.
func (s *setup) try(ctx context.Context, a *attempt) {
	for {
		err := s.tryRow(ctx, a.row)
		if err == nil {
			select {
			case s.came <- a:
			case <-ctx.Done():
			}
			return
		}
		if ctx.Err() != nil {
			return
		}
		s.mu.Lock()
		other := a.late && (a.err == nil || a.err.Error() != err.Error())
		a.err = err
		again := s.again
		s.mu.Unlock()
		if other {
			s.report(func(*Status) {})
		}
		pause := time.NewTimer(min(max(time.Since(a.begun)/4, mountEvery), longestPause))
		select {
		case <-pause.C:
		case <-again: // another row has come, which this one may lie on
		case <-ctx.Done():
		}
		pause.Stop()
	}
}

// tryRow tries to mount a row once.
func (s *setup) tryRow(ctx context.Context, r row) error {
	mounts, err := s.mountTable()
	if err != nil || s.isMounted(mounts, r) {
		return err
	}
	for _, point := range r.on {
		if _, there := s.arrivedAt(mounts, point); !there {
			return fmt.Errorf("%s is not there", point)
		}
	}
	device, err := s.find(ctx, r)
	if err != nil {
		return err
	}
	// Its point may be in another row's mount, where it could not be covered
	// before.
	if err := s.coverRow(ctx, r); err != nil {
		s.log.Warn("mount point is not covered", "point", r.point, "error", err)
	}
	limited, cancel := context.WithTimeout(ctx, toolTimeout)
	defer cancel()
	if err := s.callMount(limited, r.mount(device)); err != nil {
		if limited.Err() != nil && ctx.Err() == nil {
			return fmt.Errorf("%s does not answer within %s", r.device, toolTimeout)
		}
		return err
	}
	if mounts, err = s.mountTable(); err != nil {
		return err
	}
	if _, there := s.arrivedAt(mounts, r.point); !there {
		return errors.New("mount succeeds and mounts nothing")
	}
	return nil
}

// awaitMounts waits until every mount has come or is late. It returns false at
// once when there is another plan: what is new in that must not wait for a
// server of this one.
func (s *setup) awaitMounts(ctx context.Context) bool {
	for {
		left := s.patience()
		if left <= 0 {
			return true
		}
		timer := time.NewTimer(left)
		select {
		case a := <-s.came:
			s.arrived(a)
		case <-timer.C:
		case <-s.hangup:
			s.log.Info("plan read again")
			timer.Stop()
			return false
		case <-ctx.Done():
			timer.Stop()
			return true
		}
		timer.Stop()
	}
}

// patience is how long to wait for the attempts that are not late yet, 0 when
// there are none. It marks the others as late.
func (s *setup) patience() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var longest time.Duration
	for _, a := range s.attempts {
		left := remoteWait - time.Since(a.begun)
		longest = max(longest, left)
		if left <= 0 && !a.late {
			a.late = true
			s.log.Warn("mount is late and is retried until it works", "point", a.row.point, "error", a.err)
		}
	}
	return longest
}

// lateMounts are the sentences about the mounts that are late, for the status.
// s.mu is held.
func (s *setup) lateMounts() []string {
	var list []string
	for _, a := range s.attempts {
		if !a.late {
			continue
		}
		err := a.err
		if err == nil {
			err = fmt.Errorf("%s does not answer", a.row.device)
		}
		text := a.row.failed(err).Error() + "; the console retries until it works"
		if n := len(a.waiting(s.waiting)); n > 0 {
			text += fmt.Sprintf(" and then writes %d of write_files", n)
		}
		list = append(list, strings.ReplaceAll(text, "\n", " "))
	}
	slices.Sort(list)
	return list
}

// arrived is told of a row that has been mounted. What the configuration writes
// there is written before anybody hears of it.
func (s *setup) arrived(a *attempt) {
	s.forget(a)
	s.mu.Lock()
	close(s.again)
	s.again = make(chan struct{})
	s.mu.Unlock()
	s.log.Info("mounted", "point", a.row.point, "device", a.row.device, "took", time.Since(a.begun).Round(time.Millisecond))
	s.problem(s.keepMountsDone(append(s.mountsDone(), a.row.key())))
	s.problem(s.homes(s.current))
	s.waitingFiles()
	s.report(func(st *Status) { st.Arrived = s.arrivals(s.current) })
}

// waiting are those of the files that are in the place of the row.
func (a *attempt) waiting(files []osconfig.File) []osconfig.File {
	var list []osconfig.File
	for _, f := range files {
		if below(f.Path, []string{filepath.Clean(a.row.point)}) {
			list = append(list, f)
		}
	}
	return list
}

// waits reports whether a file is in the place of a mount that has not come.
func (s *setup) waits(f osconfig.File) bool {
	for _, a := range s.attempts {
		if len(a.waiting([]osconfig.File{f})) > 0 {
			return true
		}
	}
	return false
}

// waitingFiles writes the files of the plan that have waited for mounts and
// need not wait any longer.
func (s *setup) waitingFiles() {
	files := s.waiting
	s.setWaiting(nil)
	for _, f := range files {
		if slices.Contains(s.current.Files, f) {
			s.file(f)
		}
	}
}

// setWaiting replaces the list of files that wait.
func (s *setup) setWaiting(files []osconfig.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = files
}

// onServer reports whether a path is in the place of a row that needs a server.
func onServer(p Plan, path string) bool {
	return slices.ContainsFunc(rows(p.Mounts, p.MountDefaults), func(r row) bool {
		return r.onServer() && !r.noauto && below(path, []string{filepath.Clean(r.point)})
	})
}
