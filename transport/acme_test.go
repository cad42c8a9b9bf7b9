// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"crypto/tls"
	"sync"
	"testing"
)

func TestConnectionsThatWaitForACertificateAreLimited(t *testing.T) {
	answer := make(chan struct{})
	var began, ended sync.WaitGroup
	get := limitWaiting(func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		began.Done()
		<-answer
		return nil, nil
	})
	began.Add(maxWaiting)
	for range maxWaiting {
		ended.Go(func() {
			if _, err := get(nil); err != nil {
				t.Error(err)
			}
		})
	}
	began.Wait()
	if _, err := get(nil); err == nil {
		t.Error("one more waits")
	}
	close(answer)
	ended.Wait()
	began.Add(1)
	if _, err := get(nil); err != nil {
		t.Errorf("when one no longer waits: %v", err)
	}
}
