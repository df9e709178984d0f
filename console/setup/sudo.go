package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

const (
	sudoFile = "/etc/sudoers.d/90-cloud-config"
	sudoNew  = "/run/pharos/console/sudoers" // what is checked
)

// sudo writes the rules of users. One mistake in any file there makes sudo
// refuse everybody: rules that visudo(8) does not take are left out.
func (s *setup) sudo(ctx context.Context, p Plan) error {
	var errs []error
	text := "# Made by ros-console from users.\n"
	rules := ""
	for _, u := range p.Users {
		u = ourName(u)
		var mine strings.Builder
		for _, rule := range u.Sudo {
			rule = strings.TrimSpace(rule)
			// A line break would begin a rule for somebody else, a backslash
			// at the end would take the next one's line in.
			rule = strings.TrimRight(strings.NewReplacer("\n", " ", "\r", " ").Replace(rule), "\\ ")
			if rule == "" || rule == "false" || goodName(u.Name) != nil {
				continue
			}
			fmt.Fprintf(&mine, "%s %s\n", u.Name, rule)
		}
		if mine.Len() == 0 {
			continue
		}
		if err := s.checkSudo(ctx, mine.String()); err != nil {
			errs = append(errs, fmt.Errorf("user %s: sudo rules are left out: %w", u.Name, err))
			continue
		}
		rules += mine.String()
	}
	if rules == "" {
		if exists(s.path(sudoFile)) {
			errs = append(errs, os.Remove(s.path(sudoFile)))
		}
		return errors.Join(errs...)
	}
	return errors.Join(append(errs, s.writeChanged(sudoFile, []byte(text+rules), 0o440))...)
}

func (s *setup) checkSudo(ctx context.Context, rules string) error {
	if _, err := lookPath("visudo"); err != nil && s.Tool == nil {
		return nil // then there is no sudo either
	}
	if err := writeState(s.path(sudoNew), []byte(rules), 0o440); err != nil {
		return err
	}
	defer os.Remove(s.path(sudoNew))
	text, err := s.tool(ctx, "", "visudo", "-c", "-f", s.path(sudoNew))
	if err != nil && text != "" {
		// FILE:LINE:COLUMN: what is wrong, and then the rule with a mark below.
		first, _, _ := strings.Cut(text, "\n")
		return errors.New(strings.TrimPrefix(first, s.path(sudoNew)+":"))
	}
	return err
}
