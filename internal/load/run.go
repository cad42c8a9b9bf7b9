// SPDX-License-Identifier: AGPL-3.0-only

package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/transport/client"
)

// The baseline and the hub take turns: at least so many each, of at most so
// long.
const (
	leastTurns  = 10
	longestTurn = time.Second
)

const defaultTimeout = 10 * time.Second

// Run puts a hub under load until the options' duration is over or ctx is
// done, and tells what it saw. It returns nothing before its backends are
// removed, what it began has ended, and its connections are closed.
//
// Operations that fail are counted in the report, and are no error. There may
// be both a report and an error: then the backends could not be removed. An
// error without a report says what was wrong with the options, or what failed
// before the first operation.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)

	dialing, cancel := context.WithTimeout(ctx, o.Timeout)
	hub, err := client.Dial(dialing, o.URL, o.settings()...)
	cancel()
	if err != nil {
		return nil, err
	}
	defer hub.Close()

	entries := newBackends(hub, o.Backends, o.Timeout)
	if o.Operation == Info {
		o.Backends = 0
	} else {
		defer func() { err = errors.Join(err, entries.remove(context.WithoutCancel(ctx))) }()
		if err := entries.register(ctx); err != nil {
			return nil, err
		}
	}

	var requests []request
	for _, s := range o.Operation.blend() {
		requests = append(requests, newRequest(s.Operation, hub.Hub(), entries))
	}
	answers, err := sample(ctx, &o, requests)
	if err != nil {
		return nil, err
	}
	measured := newSubject(&o, requests)
	defer measured.close()
	if err := measured.connect(ctx, o.URL, o.Header, o.Connections); err != nil {
		return nil, err
	}
	subjects := []*subject{measured}
	if o.Baseline {
		bare, err := newBaseline(answers)
		if err != nil {
			return nil, err
		}
		defer bare.close()
		compared := newSubject(&o, requests)
		defer compared.close()
		if err := compared.connect(ctx, bare.address, nil, o.Connections); err != nil {
			return nil, fmt.Errorf("the baseline: %w", err)
		}
		subjects = append(subjects, compared)
	}

	turns := takeTurns(ctx, &o, subjects)
	report = &Report{
		URL: shownURL(o.URL), Hub: hub.Hub(), Operation: o.Operation,
		Connections: o.Connections, InFlight: o.InFlight, Backends: o.Backends, Rate: o.Rate,
		Interrupted: ctx.Err() != nil,
		Measured:    measured.tally.result(measured.blend, measured.active),
	}
	if o.Baseline {
		compared := subjects[1]
		report.Baseline = compared.tally.result(compared.blend, compared.active)
		report.Ratio = ratioOf(report.Measured, report.Baseline, turns)
	}
	return report, nil
}

// settings are the options of the connection that is not measured.
func (o *Options) settings() []client.Option {
	list := []client.Option{client.WithTLS(o.TLS)}
	for name, values := range o.Header {
		for _, value := range values {
			list = append(list, client.WithHeader(name, value))
		}
	}
	return list
}

// takeTurns warms the subjects up and loads one after the other, until each
// had the whole duration. It returns how the first did in each turn, in
// operations a second, divided by how the last did.
func takeTurns(ctx context.Context, o *Options, subjects []*subject) (ratios []float64) {
	for _, s := range subjects {
		if o.Warmup > 0 {
			s.load(ctx, o.Warmup)
		}
		s.reset()
	}
	turns := 1
	if len(subjects) > 1 {
		turns = max(leastTurns, int((o.Duration+longestTurn-1)/longestTurn))
	}
	for i := range turns {
		// Of what is not divisible, nothing gets lost.
		length := o.Duration*time.Duration(i+1)/time.Duration(turns) - o.Duration*time.Duration(i)/time.Duration(turns)
		var perSecond []float64
		for _, s := range subjects {
			if ctx.Err() != nil {
				return ratios
			}
			perSecond = append(perSecond, s.load(ctx, length))
		}
		ratios = append(ratios, divide(perSecond[0], perSecond[len(perSecond)-1]))
	}
	return ratios
}

// sample does each operation once, sees that it is answered, and returns the
// answers as the baseline gives them.
func sample(ctx context.Context, o *Options, requests []request) ([][]echo, error) {
	ws, err := dial(ctx, o.URL, o.Header, o.TLS, o.Timeout)
	if err != nil {
		return nil, err
	}
	defer ws.Close()
	defer context.AfterFunc(ctx, func() { ws.Close() })()
	ws.SetReadLimit(mostFrame)
	_ = ws.SetReadDeadline(time.Now().Add(o.Timeout)) // fails never
	var all [][]echo
	for i, s := range o.Operation.blend() {
		echoes, err := sampleOne(ws, requests[i].clone(), newID(i, 0, 0))
		if err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return nil, fmt.Errorf("trying %s: %w", s.Operation, err)
		}
		all = append(all, echoes)
	}
	return all, nil
}

func sampleOne(ws *websocket.Conn, r request, id int) ([]echo, error) {
	r.fill(id, 0)
	if err := ws.WriteMessage(websocket.TextMessage, r.frame); err != nil {
		return nil, err
	}
	var frames [][]byte
	for s := (slot{}); ; {
		_, frame, err := ws.ReadMessage()
		if err != nil {
			return nil, err
		}
		seen, err := look(frame)
		if err != nil {
			return nil, err
		}
		if len(frames) == mostSampled {
			return nil, fmt.Errorf("the answer has more than %d frames", mostSampled)
		}
		frames = append(frames, frame)
		ended := s.note(seen)
		if s.failure != "" {
			return nil, fmt.Errorf("%s: %.300q", s.failure, frame)
		}
		if ended {
			return newEchoes([]byte(strconv.Itoa(id)), frames)
		}
	}
}

// mostSampled is how many frames an answer may have.
const mostSampled = 64

// shownURL is an address without what may be secret.
func shownURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.RawQuery, u.Fragment, u.User = "", "", nil
	return u.String()
}
