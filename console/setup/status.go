package setup

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"time"
)

// begin forgets the problems of the round before. It notes which plan this
// one is about, by when it was written: before it is read, so that a newer one
// is never taken for done.
func (s *setup) begin() {
	var written time.Time
	if info, err := os.Stat(s.path(PlanPath)); err == nil {
		written = info.ModTime()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Problems, s.status.Notes, s.status.Files = []string{}, []string{}, false
	s.status.Plan = written
}

// note records what people should know and is no failure.
func (s *setup) note(sentence string) {
	s.log.Warn("the set-up has a note", "note", sentence)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Notes = append(s.status.Notes, sentence)
}

// problem records what did not work; joined errors are one sentence each.
func (s *setup) problem(err error) {
	if err == nil {
		return
	}
	s.log.Error("the set-up has a problem", "error", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Problems = append(s.status.Problems, strings.Split(err.Error(), "\n")...)
}

// report changes the status and publishes it.
func (s *setup) report(change func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
	s.status.At = time.Now()
	said := s.status
	said.Problems = slices.Concat(said.Problems, s.lateMounts())
	if s.units != nil {
		said.Problems = slices.Concat(said.Problems, s.units.Problems())
	}
	text, err := json.Marshal(said)
	if err == nil {
		err = writeState(s.path(StatusPath), append(text, '\n'), 0o644)
	}
	if err != nil {
		s.log.Error("status not written", "error", err)
	}
}
