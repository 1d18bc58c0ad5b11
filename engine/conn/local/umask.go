package local

import (
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
)

// umask reads the mask without the set-and-restore of umask(2), which would
// disturb files that others create meanwhile. It does not change while we run.
var umask = sync.OnceValue(func() fs.FileMode {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0o022
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "Umask:"); ok {
			if n, err := strconv.ParseUint(strings.TrimSpace(text), 8, 32); err == nil {
				return fs.FileMode(n)
			}
		}
	}
	return 0o022
})
