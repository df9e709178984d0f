package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Step is one node of a dependency graph that runs once, such as the boot's.
type Step struct {
	Name string
	// After names steps that must have ended (well or not) before.
	After []string
	// For completes "waits for …" in what a person sees while the step runs.
	For string
	// Deadline bounds Run; a step that misses it has failed. 0 is 60 s.
	Deadline time.Duration
	// Run does the work. An error makes the machine degraded, not stuck:
	// the steps after it still run.
	Run func(ctx context.Context) error
	// Lane groups steps in the boot's plot.
	Lane string
}

// StepInfo is a step as it stands.
type StepInfo struct {
	Name, Lane, For string
	After           []string
	Start, End      time.Time // zero: not yet
	Deadline        time.Time
	Err             error
}

// defaultStepDeadline bounds a step that names no deadline.
const defaultStepDeadline = 60 * time.Second

// Graph runs steps, each as soon as the ones before it have ended.
type Graph struct {
	log   *slog.Logger
	steps []Step
	gates map[string]*Gate

	mu   sync.Mutex
	info map[string]*StepInfo
}

// NewGraph checks that names are unique and every After exists earlier in the
// list, so that a cycle can't be written down.
func NewGraph(log *slog.Logger, steps []Step) (*Graph, error) {
	g := &Graph{log: log, steps: steps, gates: map[string]*Gate{}, info: map[string]*StepInfo{}}
	for _, st := range steps {
		if _, ok := g.gates[st.Name]; ok {
			return nil, fmt.Errorf("step %s stands twice", st.Name)
		}
		for _, a := range st.After {
			if _, ok := g.gates[a]; !ok {
				return nil, fmt.Errorf("step %s comes after %q, which does not stand before it", st.Name, a)
			}
		}
		g.gates[st.Name] = NewGate(st.For)
		g.info[st.Name] = &StepInfo{Name: st.Name, Lane: st.Lane, For: st.For, After: st.After}
	}
	return g, nil
}

// Gate is the condition that the named step has ended, or nil.
func (g *Graph) Gate(name string) *Gate { return g.gates[name] }

// Run runs all steps and returns when the last has ended.
func (g *Graph) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, st := range g.steps {
		wg.Go(func() {
			for _, a := range st.After {
				if g.gates[a].Wait(ctx) != nil {
					return
				}
			}
			g.runStep(ctx, st)
		})
	}
	wg.Wait()
}

func (g *Graph) runStep(ctx context.Context, st Step) {
	deadline := st.Deadline
	if deadline == 0 {
		deadline = defaultStepDeadline
	}
	start := time.Now()
	g.update(st.Name, func(i *StepInfo) { i.Start, i.Deadline = start, start.Add(deadline) })
	stepCtx, cancel := context.WithTimeoutCause(ctx, deadline, fmt.Errorf("%s: deadline of %s passed", st.Name, deadline))
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- st.Run(stepCtx) }()
	var err error
	select {
	case err = <-done:
	case <-stepCtx.Done():
		// A step that ignores its context must not hold the boot up.
		err = context.Cause(stepCtx)
	}
	g.update(st.Name, func(i *StepInfo) { i.End, i.Err = time.Now(), err })
	took := time.Since(start).Round(time.Millisecond)
	if err != nil {
		g.log.Warn("step ended with a problem", "step", st.Name, "took", took, "error", err)
	} else {
		g.log.Info("step done", "step", st.Name, "took", took)
	}
	g.gates[st.Name].Open()
}

func (g *Graph) update(name string, f func(*StepInfo)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f(g.info[name])
}

// Info returns all steps in the order in which they were written.
func (g *Graph) Info() []StepInfo {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]StepInfo, 0, len(g.steps))
	for _, st := range g.steps {
		out = append(out, *g.info[st.Name])
	}
	return out
}
