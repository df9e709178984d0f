package vmtest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// monitor is QEMU's side of a QMP connection.
func monitor(conn net.Conn) {
	defer conn.Close()
	fmt.Fprintln(conn, `{"QMP": {"version": {}, "capabilities": []}}`)
	in := bufio.NewScanner(conn)
	for in.Scan() {
		var req struct {
			Execute   string
			Arguments map[string]any
		}
		if err := json.Unmarshal(in.Bytes(), &req); err != nil {
			return
		}
		switch req.Execute {
		case "system_powerdown":
			fmt.Fprintln(conn, `{"event": "POWERDOWN", "timestamp": {}}`)
			fmt.Fprintln(conn, `{"return": {}}`)
			fmt.Fprintln(conn, `{"event": "SHUTDOWN", "data": {"reason": "guest-shutdown"}}`)
		case "set_link":
			fmt.Fprintf(conn, "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"%v\"}}\n", req.Arguments["name"])
		default:
			fmt.Fprintln(conn, `{"return": {}}`)
		}
	}
}

func TestQMP(t *testing.T) {
	here, there := net.Pipe()
	go monitor(there)
	ctx, cancel := Within(t.Context(), 10*time.Second, "QMP")
	defer cancel()
	q, err := NewQMP(ctx, here)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.PowerButton(ctx); err != nil {
		t.Fatal(err)
	}
	e, err := q.WaitEvent(ctx, "SHUTDOWN")
	if err != nil || e.Data["reason"] != "guest-shutdown" {
		t.Fatalf("event %v, %v", e, err)
	}
	if err := q.SetLink(ctx, "nic1", false); err == nil || !strings.Contains(err.Error(), "nic1") {
		t.Errorf("SetLink: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := q.WaitEvent(short, "WATCHDOG"); err == nil {
		t.Error("an event that never came was found")
	}
}
