package rtnl

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
)

// resubscribeInterval is the time between attempts to listen again after an
// event socket broke.
const resubscribeInterval = time.Second

// Subscribe implements netconf.Kernel. If the kernel drops events because a
// socket is full, a new subscription begins and a signal is sent.
func (c *Conn) Subscribe(ctx context.Context) (<-chan struct{}, error) {
	ctx, cancel := context.WithCancel(ctx)
	signal := make(chan struct{}, 1)
	notify := func() {
		select {
		case signal <- struct{}{}:
		default: // one is waiting to be seen: that will do
		}
	}
	links := follower[netlink.LinkUpdate]{log: c.log, subscribe: func(ch chan netlink.LinkUpdate, done <-chan struct{}, failed func(error)) error {
		return netlink.LinkSubscribeWithOptions(ch, done, netlink.LinkSubscribeOptions{ErrorCallback: failed})
	}}
	addresses := follower[netlink.AddrUpdate]{log: c.log, subscribe: func(ch chan netlink.AddrUpdate, done <-chan struct{}, failed func(error)) error {
		return netlink.AddrSubscribeWithOptions(ch, done, netlink.AddrSubscribeOptions{ErrorCallback: failed})
	}}
	var running sync.WaitGroup
	for what, start := range map[string]func(context.Context, *sync.WaitGroup, func()) error{
		"link": links.start, "address": addresses.start,
	} {
		if err := start(ctx, &running, notify); err != nil {
			cancel()
			return nil, fmt.Errorf("%s events: %w", what, err)
		}
	}
	go func() {
		defer cancel()
		running.Wait()
		close(signal)
	}()
	return signal, nil
}

// follower keeps one of the library's subscriptions alive. The library closes
// the channel when its socket breaks.
type follower[T any] struct {
	log       *slog.Logger
	subscribe func(ch chan T, done <-chan struct{}, failed func(error)) error
}

// start subscribes and returns; notify is called after each event until ctx ends.
func (f follower[T]) start(ctx context.Context, running *sync.WaitGroup, notify func()) error {
	updates, err := f.open(ctx)
	if err != nil {
		return err
	}
	running.Go(func() {
		for updates != nil {
			for range updates {
				notify()
			}
			updates = f.reopen(ctx)
			notify()
		}
	})
	return nil
}

func (f follower[T]) open(ctx context.Context) (chan T, error) {
	updates := make(chan T, 16)
	return updates, f.subscribe(updates, ctx.Done(), func(err error) {
		if ctx.Err() == nil {
			f.log.Warn("event subscription", "error", err)
		}
	})
}

// reopen tries until it succeeds; nil means that ctx has ended.
func (f follower[T]) reopen(ctx context.Context) chan T {
	ticker := time.NewTicker(resubscribeInterval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		updates, err := f.open(ctx)
		if err == nil {
			return updates
		}
		f.log.Warn("event subscription", "error", err)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	return nil
}
