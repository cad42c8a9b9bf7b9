// SPDX-License-Identifier: AGPL-3.0-only

package load

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestShownURL(t *testing.T) {
	if got := shownURL("wss://user:secret@hub.example:1/path?token=secret#secret"); got != "wss://hub.example:1/path" {
		t.Errorf("got %s", got)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	good := small("wss://hub.example:1/path?q", Get)
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	cases := map[string]struct {
		change func(*Options)
		want   string
	}{
		"no URL":               {func(o *Options) { o.URL = "" }, "ws://"},
		"no scheme":            {func(o *Options) { o.URL = "localhost" }, "ws://"},
		"no host":              {func(o *Options) { o.URL = "ws://" }, "ws://"},
		"unreadable URL":       {func(o *Options) { o.URL = "ws://a b" }, "can't be read"},
		"no operation":         {func(o *Options) { o.Operation = "" }, "not one of"},
		"no connection":        {func(o *Options) { o.Connections = 0 }, "0 connections"},
		"too many connections": {func(o *Options) { o.Connections = MaxConnections + 1 }, "connections"},
		"nothing in flight":    {func(o *Options) { o.InFlight = 0 }, "in flight"},
		"too much in flight":   {func(o *Options) { o.InFlight = MaxInFlight + 1 }, "in flight"},
		"no backend":           {func(o *Options) { o.Backends = 0 }, "backends"},
		"too many backends":    {func(o *Options) { o.Backends = MaxBackends + 1 }, "backends"},
		"no duration":          {func(o *Options) { o.Duration = 0 }, "duration"},
		"too long":             {func(o *Options) { o.Duration = MaxDuration + 1 }, "duration"},
		"negative warm-up":     {func(o *Options) { o.Warmup = -1 }, "warm-up"},
		"negative timeout":     {func(o *Options) { o.Timeout = -time.Second }, "timeout"},
		"negative rate":        {func(o *Options) { o.Rate = -1 }, "rate"},
		"no rate":              {func(o *Options) { o.Rate = math.NaN() }, "rate"},
		"too high a rate":      {func(o *Options) { o.Rate = math.Inf(1) }, "rate"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			options := good
			c.change(&options)
			if err := options.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
