package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"time"
)

// renewTimeout is how long a dockerd that is to end may take: with live restore
// it has no containers to stop.
const renewTimeout = 30 * time.Second

// follow starts dockerd anew each time when the file Renewal changes, until ctx
// ends. What is in the file before is older than the arguments of this process.
func (e *engine) follow(ctx context.Context) {
	if e.Renewal == "" {
		<-ctx.Done()
		return
	}
	last, _ := os.Stat(e.Renewal)
	changed := func() bool { // the text may be that of an earlier renewal
		info, err := os.Stat(e.Renewal)
		if err != nil || last != nil && os.SameFile(last, info) && last.ModTime().Equal(info.ModTime()) {
			return false
		}
		last = info
		return true
	}
	for {
		if err := await(ctx, filepath.Dir(e.Renewal), 0, changed); err != nil {
			if ctx.Err() == nil {
				e.log.Error("dockerd cannot be given another configuration", "error", err)
			}
			<-ctx.Done()
			return
		}
		if err := e.renew(); err != nil {
			e.log.Error("dockerd keeps its configuration", "error", err)
		}
	}
}

// renew ends dockerd, which is then started with other arguments. It refuses
// what would end containers: that takes a restart of the unit.
func (e *engine) renew() error {
	text, err := os.ReadFile(e.Renewal)
	if err != nil {
		return err
	}
	var args []string
	if err := json.Unmarshal(text, &args); err != nil {
		return fmt.Errorf("%s: %w", e.Renewal, err)
	}
	next, err := parse(args)
	if err != nil {
		return fmt.Errorf("%s: %w", e.Renewal, err)
	}
	config, err := merge(next.Config, next.UserConfig, next.Fixed)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, key := range []string{"data-root", "group"} {
		if !reflect.DeepEqual(config[key], e.config[key]) {
			return fmt.Errorf("%s: %s differs: restart the service docker", e.Renewal, key)
		}
	}
	if config["live-restore"] != true || e.config["live-restore"] != true {
		return fmt.Errorf("%s: without live restore containers would end: restart the service docker", e.Renewal)
	}
	e.config, e.ExtraArgs = config, next.ExtraArgs
	if err := e.writeConfig(); err != nil {
		return err
	}
	e.log.Info("dockerd is started anew with another configuration")
	if e.dockerd != nil {
		go e.dockerd.Stop(renewTimeout)
	}
	return nil
}
