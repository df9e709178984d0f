package rtnl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ForwardIPv6 makes the kernel forward IPv6 packets, in the network namespace
// of the process. A router does not follow router advertisements unless it is
// told to (accept_ra 2), and the kernel drops default routes that came by them
// at the moment when it becomes one: links that follow them, and those that
// come later, are told first. On a kernel without IPv6 nothing is done.
func ForwardIPv6() error {
	const on, follows, followsAnyway = "1", "1", "2"
	switched, err := read("all", "forwarding")
	if errors.Is(err, fs.ErrNotExist) || err == nil && switched == on {
		return nil
	}
	entries, err := os.ReadDir(sysctls)
	if err != nil {
		return fmt.Errorf("IPv6 forwarding: %w", err)
	}
	// "default" is for links that come from now on. "all" does not count.
	links := []string{"default"}
	for _, e := range entries {
		if name := e.Name(); name != "all" && name != "default" {
			links = append(links, name)
		}
	}
	for _, link := range links {
		now, err := read(link, "accept_ra")
		if err == nil && now == follows {
			err = write(link, "accept_ra", followsAnyway)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // the link has gone
			return fmt.Errorf("IPv6 forwarding: router advertisements on %s: %w", link, err)
		}
	}
	if err := write("all", "forwarding", on); err != nil { // the kernel sets "default" with it
		return fmt.Errorf("IPv6 forwarding: %w", err)
	}
	return nil
}

func read(link, setting string) (string, error) {
	b, err := os.ReadFile(filepath.Join(sysctls, link, setting))
	return strings.TrimSpace(string(b)), err
}

func write(link, setting, value string) error {
	return os.WriteFile(filepath.Join(sysctls, link, setting), []byte(value), 0)
}
