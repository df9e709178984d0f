package vmtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
)

// QMP is a client of QEMU's machine protocol (docs/interop/qmp-spec.rst).
type QMP struct {
	conn io.ReadWriteCloser

	send    sync.Mutex // one command at a time
	replies chan qmpMessage

	mu      sync.Mutex
	events  []Event
	changed chan struct{}
	err     error // why the connection ended
}

// Event is something that QEMU reported: SHUTDOWN, RESET, WATCHDOG, …
type Event struct {
	Name string
	Data map[string]any
}

type qmpMessage struct {
	Greeting json.RawMessage `json:"QMP"`
	Return   json.RawMessage `json:"return"`
	Error    *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
	Event string         `json:"event"`
	Data  map[string]any `json:"data"`
}

// NewQMP shakes hands on conn and owns it from then on.
func NewQMP(ctx context.Context, conn io.ReadWriteCloser) (*QMP, error) {
	q := &QMP{conn: conn, replies: make(chan qmpMessage, 1), changed: make(chan struct{})}
	dec := json.NewDecoder(conn)
	var hello qmpMessage
	if err := dec.Decode(&hello); err != nil || hello.Greeting == nil {
		return nil, errors.Join(fmt.Errorf("QMP greeting: %w", err), conn.Close())
	}
	go q.read(dec)
	if _, err := q.Do(ctx, "qmp_capabilities", nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return q, nil
}

// read sorts what QEMU says into replies and events until the connection ends.
func (q *QMP) read(dec *json.Decoder) {
	defer close(q.replies)
	for {
		var msg qmpMessage
		err := dec.Decode(&msg)
		if err == nil && msg.Event == "" {
			q.replies <- msg
			continue
		}
		q.mu.Lock()
		if err != nil {
			q.err = err
		} else {
			q.events = append(q.events, Event{msg.Event, msg.Data})
		}
		close(q.changed)
		q.changed = make(chan struct{})
		q.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Do runs a command and returns its result.
func (q *QMP) Do(ctx context.Context, command string, args any) (json.RawMessage, error) {
	q.send.Lock()
	defer q.send.Unlock()
	req := map[string]any{"execute": command}
	if args != nil {
		req["arguments"] = args
	}
	if err := json.NewEncoder(q.conn).Encode(req); err != nil {
		return nil, fmt.Errorf("QMP %s: %w", command, err)
	}
	select {
	case msg, ok := <-q.replies:
		switch {
		case !ok:
			return nil, fmt.Errorf("QMP %s: connection closed", command)
		case msg.Error != nil:
			return nil, fmt.Errorf("QMP %s: %s: %s", command, msg.Error.Class, msg.Error.Desc)
		}
		return msg.Return, nil
	case <-ctx.Done():
		// A reply that comes now would be taken for the next command's.
		return nil, errors.Join(fmt.Errorf("QMP %s: %w", command, context.Cause(ctx)), q.conn.Close())
	}
}

// WaitEvent blocks until an event called name has come, now or before, and
// returns the first one.
func (q *QMP) WaitEvent(ctx context.Context, name string) (Event, error) {
	for {
		q.mu.Lock()
		for _, e := range q.events {
			if e.Name == name {
				q.mu.Unlock()
				return e, nil
			}
		}
		err, changed := q.err, q.changed
		q.mu.Unlock()
		if err != nil {
			return Event{}, fmt.Errorf("QMP event %s: %w", name, err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Event{}, fmt.Errorf("QMP event %s: %w", name, context.Cause(ctx))
		}
	}
}

// PowerButton presses the ACPI power button.
func (q *QMP) PowerButton(ctx context.Context) error {
	_, err := q.Do(ctx, "system_powerdown", nil)
	return err
}

// CtrlAltDel presses the three keys.
func (q *QMP) CtrlAltDel(ctx context.Context) error {
	type key struct {
		Type string `json:"type"`
		Data string `json:"data"`
	}
	_, err := q.Do(ctx, "send-key", map[string]any{
		"keys": []key{{"qcode", "ctrl"}, {"qcode", "alt"}, {"qcode", "delete"}},
	})
	return err
}

// SetLink plugs the cable of a network card in or out: "nic0" and so on are
// those of user networks, "card0" and so on those on taps.
func (q *QMP) SetLink(ctx context.Context, card string, up bool) error {
	_, err := q.Do(ctx, "set_link", map[string]any{"name": card, "up": up})
	return err
}

// Plug adds a device to the running machine: a driver's name, and its
// properties as for -device.
func (q *QMP) Plug(ctx context.Context, driver string, properties map[string]any) error {
	args := map[string]any{"driver": driver}
	maps.Copy(args, properties)
	_, err := q.Do(ctx, "device_add", args)
	return err
}
