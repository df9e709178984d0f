package unit

import "time"

// Defaults of fields that are zero.
const (
	DefaultStopTimeout  = 10 * time.Second
	DefaultReadyTimeout = 60 * time.Second
	DefaultHealthEvery  = 30 * time.Second
	DefaultStopSignal   = "SIGTERM"
	DefaultCgroup       = "system"
)

// WithDefaults returns the unit with every zero field that has a default
// filled in. It changes nothing that u shares.
func (u Unit) WithDefaults() Unit {
	if u.Image == "" {
		u.Image = u.Name
	}
	if u.Restart == "" {
		u.Restart = RestartAlways
	}
	if u.StopSignal == "" {
		u.StopSignal = DefaultStopSignal
	}
	if u.StopTimeout == 0 {
		u.StopTimeout = DefaultStopTimeout
	}
	if u.Cgroup == "" {
		u.Cgroup = DefaultCgroup
	}
	if u.Ready.Timeout == 0 {
		u.Ready.Timeout = DefaultReadyTimeout
	}
	if !u.Health.IsZero() {
		if u.HealthEvery == 0 {
			u.HealthEvery = DefaultHealthEvery
		}
		if u.Health.Timeout == 0 {
			u.Health.Timeout = u.HealthEvery
		}
	}
	return u
}
