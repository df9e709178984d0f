package netconf

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// maxPasses bounds how often one event may lead to changes: links up, then
// routes that the kernel dropped together with a replaced address.
const maxPasses = 4

// maxRepeats is how often the same change is made within countFor. If somebody
// undoes it for longer, it is tried again when its time has come.
const (
	maxRepeats = 16
	countFor   = time.Minute
)

// trouble is what went wrong when the kernel was told.
type trouble struct {
	errs []string // of the last attempt
	// addresses are the links of which one could not be removed then.
	addresses map[int]bool
	refused   map[refusal]string
	unkept    map[string]bool // operations that have no effect that lasts
	made      map[string]int  // how often operations were, since counting
	counting  time.Time
	retries   int       // attempts at what is refused
	calm      time.Time // since when nothing is wrong; zero: something is
	retryAt   time.Time // when it is tried again; zero: nothing is wrong
}

// refusal is a change of a link itself that did not work. It is not tried
// again before its time: some of them set the link down for a moment.
type refusal struct {
	link string
	kind OpKind
}

// sentences lists all that is wrong.
func (t *trouble) sentences() []string {
	var out []string
	for _, r := range slices.SortedFunc(maps.Keys(t.refused), func(a, b refusal) int {
		return cmp.Or(cmp.Compare(a.link, b.link), cmp.Compare(a.kind, b.kind))
	}) {
		out = append(out, t.refused[r])
	}
	return append(out, t.errs...)
}

// begin prepares an attempt. What was refused is tried again if it is time;
// what somebody undoes, once.
func (t *trouble) begin(now time.Time) {
	t.errs, t.addresses = nil, make(map[int]bool)
	due := !t.retryAt.IsZero() && !now.Before(t.retryAt)
	if due || now.Sub(t.counting) >= countFor {
		made := make(map[string]int)
		for text := range t.unkept {
			if made[text] = t.made[text]; due {
				made[text] = min(t.made[text]-1, maxRepeats-1)
			}
		}
		t.made, t.counting = made, now
	}
	if due {
		t.refused, t.unkept = nil, nil
	}
}

// conclude sets when it is tried again. Trouble that comes back soon after it
// was cured is not new.
func (t *trouble) conclude(wrong, looked bool, first time.Duration, now time.Time) {
	if !wrong {
		if t.retryAt = (time.Time{}); t.calm.IsZero() {
			t.calm = now
		}
		return
	}
	if !t.calm.IsZero() && now.Sub(t.calm) >= countFor {
		t.retries = 0
	}
	t.calm = time.Time{}
	if (looked || t.retryAt.IsZero()) && !now.Before(t.retryAt) {
		t.retryAt = now.Add(first << min(t.retries, 4))
		t.retries++
	}
}

// vain notes what of a plan would not last: the same is done again and again.
func (t *trouble) vain(plan Plan, pass int) (found bool) {
	for _, o := range plan {
		text := o.String()
		if pass < maxPasses && t.made[text] < maxRepeats {
			continue
		}
		if t.unkept == nil {
			t.unkept = make(map[string]bool)
		}
		t.unkept[text], found = true, true
	}
	return found
}
