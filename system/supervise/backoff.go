package supervise

import "time"

// Backoff spaces restarts out: it doubles from min to max, and starts anew
// after a run that lasted healthy.
type Backoff struct {
	Min, Max time.Duration
	// Healthy is how long a run must last to clear what went before.
	Healthy time.Duration
	// LoopAfter is the number of short runs in a row that makes a crash loop.
	LoopAfter int

	failures int
}

// DefaultBackoff is what units get: 200 ms to 30 s, forgiven after a minute,
// called a crash loop from the fifth short run on.
func DefaultBackoff() Backoff {
	return Backoff{Min: 200 * time.Millisecond, Max: 30 * time.Second, Healthy: time.Minute, LoopAfter: 5}
}

// Next records a run that lasted ran and returns how long to wait before the
// next one.
func (b *Backoff) Next(ran time.Duration) time.Duration {
	if ran >= b.Healthy {
		b.failures = 0
	}
	b.failures++
	d := b.Min
	for i := 1; i < b.failures && d < b.Max; i++ {
		d *= 2
	}
	return min(d, b.Max)
}

// Looping reports whether the runs so far make a crash loop.
func (b *Backoff) Looping() bool { return b.failures >= b.LoopAfter }

// Reset forgets all failures.
func (b *Backoff) Reset() { b.failures = 0 }
