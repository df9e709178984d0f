package manager

import (
	"fmt"

	"github.com/containerd/errdefs"

	"github.com/pharos-os/pharos/netconf"
)

// asker is the part of netconf's Manager that answers questions.
type asker interface {
	PlanFor(netconf.Spec) (netconf.Plan, error)
	Renew(link string) error
}

func (m *Manager) asker() (asker, error) {
	if a, ok := any(m.net).(asker); ok {
		return a, nil
	}
	return nil, fmt.Errorf("netconf answers no questions: %w", errdefs.ErrUnavailable)
}

func (m *Manager) planFor(spec netconf.Spec) (netconf.Plan, error) {
	a, err := m.asker()
	if err != nil {
		return nil, err
	}
	return a.PlanFor(spec)
}

func (m *Manager) renew(link string) error {
	a, err := m.asker()
	if err != nil {
		return err
	}
	return a.Renew(link)
}
