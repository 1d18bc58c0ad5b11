package live_test

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// after is true once so many seconds have passed: a fault must last before it
// is one.
func (l *lab) after(seconds int) func() bool {
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	return func() bool { return time.Now().After(end) }
}

// old says whether a pod is there for so many seconds.
func (l *lab) old(p corev1.Pod, seconds int) bool {
	return time.Since(p.CreationTimestamp.Time) > time.Duration(seconds)*time.Second
}
