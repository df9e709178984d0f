package supervise

import (
	"context"
	"fmt"
)

// Requests to start and to stop a service come from several callers at once.
// Each returns what its caller waits for: a function that await calls with
// s.mu held after every change.

// requestStart makes the service run.
func (s *service) requestStart() func() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.goal = true
	return s.start()
}

// requestSecondHalf makes the service run after the stop of a restart, unless
// a stop was requested meanwhile.
func (s *service) requestSecondHalf() (func() (bool, error), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.goal {
		return nil, fmt.Errorf("restart %s: %w", s.name, ErrSuperseded)
	}
	return s.start(), nil
}

// start returns what ends the wait for a start; s.mu is held.
func (s *service) start() func() (bool, error) {
	already := s.want
	s.want = true
	life, transitions := s.lives, s.transitions
	if !s.living || s.ending {
		life++ // the life in progress, if any, is not the one that was requested
	}
	return func() (bool, error) {
		switch {
		case !s.goal:
			return true, fmt.Errorf("start %s: %w", s.name, ErrSuperseded)
		case s.lives < life:
			return false, nil
		}
		changed := s.transitions > transitions
		switch s.info.State {
		case Running:
			return already || changed, nil
		case Failed, CrashLooping:
			if changed {
				return true, fmt.Errorf("service %s: %s", s.name, s.info.Message)
			}
		case Stopped:
			return changed, nil // a one-shot that has finished
		}
		return false, nil
	}
}

// requestStop ends the service's life. With again it is the first half of a
// restart.
func (s *service) requestStop(again bool) func() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end(again)
}

// requestRenewal ends the service's life and begins another one. It does nothing
// to a service that is not to run.
func (s *service) requestRenewal() func() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.goal {
		return func() (bool, error) { return true, nil }
	}
	ended := s.end(true)
	s.want = true
	return ended
}

// end returns what ends the wait for a stop; s.mu is held.
func (s *service) end(again bool) func() (bool, error) {
	s.want, s.goal = false, again
	s.notify()
	if !s.living {
		return func() (bool, error) { return true, nil }
	}
	s.ending = true
	if s.endLife != nil {
		s.endLife(errStop)
	}
	stops := s.stops
	return func() (bool, error) { return s.stops > stops, nil }
}

func (s *service) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// notify wakes everybody who awaits something; s.mu is held.
func (s *service) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// await blocks until done says so; it is asked after every transition and
// every request.
func (s *service) await(ctx context.Context, done func() (bool, error)) error {
	for {
		s.mu.Lock()
		ok, err := done()
		ch := s.changed
		s.mu.Unlock()
		if ok {
			return err
		}
		select {
		case <-ch:
		case <-ctx.Done():
			return fmt.Errorf("service %s: %w", s.name, context.Cause(ctx))
		}
	}
}
