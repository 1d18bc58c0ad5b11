package main

import (
	"fmt"
	"os"
	"syscall"
)

// room is what the cache grows to, with some air for the images that runbooks build and ship.
const room = 8 << 30

// enoughRoom fails early: a full disk shows as a dozen different errors an hour later. A filled cache needs no more.
func enoughRoom(cache string) error {
	if _, err := os.Stat(cache); err == nil {
		return nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(cache, &disk); err != nil {
		return fmt.Errorf("look at the disk below %s: %w", cache, err)
	}
	if free := disk.Bavail * uint64(disk.Bsize); free < room {
		os.Remove(cache) // empty still; the next run shall look again
		return fmt.Errorf("%s has %.1f GiB free, the lab wants %d: set ANTDBCTL_LAB_CACHE to a folder on a larger disk", cache, float64(free)/(1<<30), room>>30)
	}
	return nil
}
