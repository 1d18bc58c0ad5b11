package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/adbsql/antdbctl/lab/layout"
)

const cgroups = "/sys/fs/cgroup"

// hierarchies are the mounted cgroup trees: one on version 2, one a controller on version 1.
func hierarchies() []string {
	if _, err := os.Stat(filepath.Join(cgroups, "cgroup.controllers")); err == nil {
		return []string{cgroups}
	}
	var all []string
	entries, _ := os.ReadDir(cgroups)
	for _, entry := range entries {
		dir := filepath.Join(cgroups, entry.Name())
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err == nil && entry.IsDir() {
			all = append(all, dir)
		}
	}
	return all
}

// PrepareCgroups makes the group below which a node's kubelet keeps its pods: the kubelet wants it beforehand.
func PrepareCgroups(lab layout.Lab, n layout.Node) error {
	for _, tree := range hierarchies() {
		parent := tree
		for _, part := range []string{lab.CgroupRoot(), n.Name} {
			if err := enableControllers(parent); err != nil {
				return err
			}
			dir := filepath.Join(parent, part)
			if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("make the cgroup of %s: %w", n.Name, err)
			}
			if err := copyCPUSet(parent, dir); err != nil {
				return err
			}
			parent = dir
		}
		if err := enableControllers(parent); err != nil {
			return err
		}
	}
	return nil
}

// copyCPUSet: on version 1 a new cpuset group is empty, and no process can enter it.
func copyCPUSet(parent, dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		current, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || strings.TrimSpace(string(current)) != "" {
			continue // not a cpuset group, or set already
		}
		content, err := os.ReadFile(filepath.Join(parent, name))
		if err != nil || strings.TrimSpace(string(content)) == "" {
			continue // version 2: empty means "as the parent"
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return fmt.Errorf("set %s of %s: %w", name, dir, err)
		}
	}
	return nil
}

// enableControllers hands a version 2 group's controllers down; version 1 has no such file.
func enableControllers(dir string) error {
	available, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return nil
	}
	for _, controller := range strings.Fields(string(available)) {
		switch controller {
		case "cpu", "cpuset", "memory", "pids", "io", "hugetlb":
			if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0o644); err != nil {
				return fmt.Errorf("enable controller %s below %s: %w", controller, dir, err)
			}
		}
	}
	return nil
}

// shares are the largest that each version of cgroups knows.
var shares = map[string]string{"cpu.shares": "262144", "cpu.weight": "10000"}

// Favor puts the processes of the lab's groups before others on this machine, which has fewer processors than the lab
// has machines: otherwise all of them together get as much as one other program.
func Favor(lab layout.Lab) error {
	for _, tree := range hierarchies() {
		for name, value := range shares {
			file := filepath.Join(tree, lab.CgroupRoot(), name)
			if _, err := os.Stat(file); err != nil {
				continue // another controller's tree, or the other version
			}
			if err := os.WriteFile(file, []byte(value), 0o644); err != nil {
				return fmt.Errorf("favor the nodes: %w", err)
			}
		}
	}
	return nil
}

// EnterCgroup moves this process, and what it will start, into the group of a machine.
func EnterCgroup(lab layout.Lab, n layout.Node) error {
	if err := PrepareCgroups(lab, n); err != nil {
		return err
	}
	for _, tree := range hierarchies() {
		// version 2 keeps processes out of groups that hand controllers down; such a leaf is made for them
		dir := filepath.Join(tree, lab.CgroupRoot(), n.Name)
		if _, err := os.Stat(filepath.Join(dir, "cgroup.subtree_control")); err == nil {
			dir = filepath.Join(dir, "own")
			if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
			return fmt.Errorf("enter the cgroup of %s: %w", n.Name, err)
		}
	}
	return nil
}

// SweepCgroups kills whatever still lives below the lab's groups and removes them.
func SweepCgroups(lab layout.Lab) error {
	deadline := time.Now().Add(15 * time.Second)
	for {
		left := 0
		for _, tree := range hierarchies() {
			left += sweep(filepath.Join(tree, lab.CgroupRoot()))
		}
		if left == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d cgroup folders named %s do not go away", left, lab.CgroupRoot())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// sweep removes one tree of groups, deepest first, and returns how many are left.
func sweep(root string) int {
	var dirs []string
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	left := 0
	for i := len(dirs) - 1; i >= 0; i-- {
		procs, _ := os.ReadFile(filepath.Join(dirs[i], "cgroup.procs"))
		for _, field := range strings.Fields(string(procs)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 1 && pid != os.Getpid() {
				_ = syscall.Kill(pid, syscall.SIGKILL) // gone already is as good
			}
		}
		if err := os.Remove(dirs[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			left++
		}
	}
	return left
}

// Memory is what the processes below a group hold, page cache not counted, in bytes. The group is named below the lab's own.
func Memory(lab layout.Lab, group string) int64 {
	for _, form := range []struct{ file, key string }{
		{filepath.Join(cgroups, "memory", lab.CgroupRoot(), group, "memory.stat"), "total_rss"},
		{filepath.Join(cgroups, lab.CgroupRoot(), group, "memory.stat"), "anon"},
	} {
		content, err := os.ReadFile(form.file)
		if err != nil {
			continue
		}
		for _, line := range strings.Split(string(content), "\n") {
			if key, value, _ := strings.Cut(line, " "); key == form.key {
				bytes, _ := strconv.ParseInt(value, 10, 64) // the kernel writes numbers only
				return bytes
			}
		}
	}
	return 0
}
