package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"
)

// renewTimeout is how long a dockerd that is to end may take: with live restore
// it has no containers to stop.
const renewTimeout = 30 * time.Second

// follow starts dockerd anew each time when the file Renewal changes, until ctx
// ends. What was in the file when this process started is older than its arguments.
func (e *engine) follow(ctx context.Context) {
	if e.Renewal == "" {
		<-ctx.Done()
		return
	}
	changed := func() bool { // the text may be that of an earlier renewal
		info, err := os.Stat(e.Renewal)
		if err != nil || e.renewal != nil && os.SameFile(e.renewal, info) && e.renewal.ModTime().Equal(info.ModTime()) {
			return false
		}
		e.renewal = info
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
// what would end containers: that takes a restart of the unit. Where only
// StopTimeout differs, dockerd runs on.
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
	if next.StopTimeout != e.StopTimeout && sameDaemon(e.Options, next) {
		e.StopTimeout = next.StopTimeout
		e.log.Info("containers have another time to stop", "timeout", e.StopTimeout)
		return nil
	}
	for _, key := range []string{"data-root", "group"} {
		if !reflect.DeepEqual(config[key], e.config[key]) {
			return fmt.Errorf("%s: %s differs: restart the service docker", e.Renewal, key)
		}
	}
	if config["live-restore"] != true || e.config["live-restore"] != true {
		return fmt.Errorf("%s: without live restore containers would end: restart the service docker", e.Renewal)
	}
	e.Config, e.UserConfig, e.Fixed, e.ExtraArgs, e.StopTimeout = next.Config, next.UserConfig, next.Fixed, next.ExtraArgs, next.StopTimeout
	e.config = config
	e.generation++
	if err := e.writeConfig(); err != nil {
		return err
	}
	e.log.Info("dockerd is started anew with another configuration")
	if e.dockerd != nil {
		go e.dockerd.Stop(renewTimeout)
	}
	return nil
}

// sameDaemon reports whether dockerd gets the same of two sets of arguments. The
// manager decides with engine.SameDaemon whether it waits for another one.
func sameDaemon(a, b Options) bool {
	return reflect.DeepEqual(a.Config, b.Config) && a.UserConfig == b.UserConfig && slices.Equal(a.Fixed, b.Fixed) && slices.Equal(a.ExtraArgs, b.ExtraArgs)
}
