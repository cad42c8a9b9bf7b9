// SPDX-License-Identifier: AGPL-3.0-only

package connect

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// netDialer connects without the probes of TCP: the protocol has its own.
var netDialer = net.Dialer{KeepAlive: -1}

const (
	// attemptDelay is how long one address of a name has before the next one is
	// tried beside it. A net.Dialer tries the second after two seconds or more.
	attemptDelay = 250 * time.Millisecond
	// maxAddresses bounds how many addresses of one name are tried.
	maxAddresses = 16
)

// dial connects to whichever address of the host answers first. Its lookup ends
// before ctx does, so that its error is seen.
func dial(ctx context.Context, network, hostPort string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return netDialer.DialContext(ctx, network, hostPort)
	}
	looking, cancel := context.WithCancel(ctx)
	if end, ok := ctx.Deadline(); ok {
		looking, cancel = context.WithTimeout(ctx, time.Until(end)*3/4)
	}
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(looking, "ip", host)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	var addresses []string
	for _, ip := range ips[:min(len(ips), maxAddresses)] {
		addresses = append(addresses, net.JoinHostPort(ip.Unmap().String(), port))
	}
	return race(ctx, addresses, func(ctx context.Context, address string) (net.Conn, error) {
		return netDialer.DialContext(ctx, network, address)
	})
}

// race dials the addresses one after the other, each as soon as the one before has
// failed or taken its time, and returns the first connection. If there is none, an
// address that has refused says more than one that was silent.
func race(ctx context.Context, addresses []string, dial func(ctx context.Context, address string) (net.Conn, error)) (conn net.Conn, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	delay := attemptDelay
	if end, ok := ctx.Deadline(); ok {
		delay = min(delay, time.Until(end)/time.Duration(len(addresses)+1))
	}
	type result struct {
		conn net.Conn
		err  error
	}
	results := make(chan result)
	running := 0
	for len(addresses) > 0 && conn == nil || running > 0 {
		var wait <-chan time.Time // nil once there is nothing more to try
		if len(addresses) > 0 && conn == nil {
			address := addresses[0]
			addresses = addresses[1:]
			running++
			go func() {
				c, err := dial(ctx, address)
				results <- result{c, err}
			}()
			wait = time.After(delay)
		}
		select {
		case r := <-results:
			running--
			switch {
			case r.err != nil:
				if err == nil || errors.Is(r.err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ECONNREFUSED) {
					err = r.err
				}
			case conn == nil:
				conn = r.conn
				cancel()
			default:
				r.conn.Close()
			}
		case <-wait:
		}
	}
	if conn != nil {
		return conn, nil
	}
	return nil, err
}
