package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/proc"
)

// sysctls are the kernel settings that a kubelet changes for the whole machine.
var sysctls = []string{"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"}

func saveSysctls(lab layout.Lab) error {
	for _, name := range sysctls {
		saved := lab.In("sysctl", strings.ReplaceAll(name, "/", "."))
		if _, err := os.Stat(saved); err == nil {
			continue // from the start of this lab; what is set now is the kubelet's
		}
		content, err := os.ReadFile(filepath.Join("/proc/sys", name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(saved), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(saved, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func restoreSysctls(lab layout.Lab) error {
	var all error
	for _, name := range sysctls {
		content, err := os.ReadFile(lab.In("sysctl", strings.ReplaceAll(name, "/", ".")))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		all = errors.Join(all, err, os.WriteFile(filepath.Join("/proc/sys", name), content, 0o644))
	}
	return all
}

// unmountBelow unmounts all that is mounted at or below the folders, innermost first.
func unmountBelow(folders ...string) error {
	content, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var points []string
	for _, line := range strings.Split(string(content), "\n") {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		for _, folder := range folders {
			if fields[4] == folder || strings.HasPrefix(fields[4], folder+"/") {
				points = append(points, fields[4])
			}
		}
	}
	slices.Reverse(points) // mountinfo lists in the order of mounting
	var all error
	for _, point := range points {
		if err := syscall.Unmount(point, syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) {
			all = errors.Join(all, fmt.Errorf("unmount %s: %w", point, err))
		}
	}
	return all
}

// removeLink removes the bridge if the engine had no chance to; its routes go with it.
func removeLink(ctx context.Context, name string) error {
	if _, err := net.InterfaceByName(name); err != nil {
		return nil
	}
	_, err := proc.Run(ctx, "ip", "link", "delete", name)
	return err
}
