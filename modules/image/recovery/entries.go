package recovery

import (
	"archive/tar"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/modules/image/history"
)

// under are the entries at a path and below it.
func (l *layer) under(dest string) (list []*tar.Header) {
	for _, h := range l.entries {
		if h.Name == dest || dest == "" || strings.HasPrefix(h.Name, dest+"/") {
			list = append(list, h)
		}
	}
	return list
}

// moved finds the folder that all of the layer's new entries share.
func (l *layer) moved() (dest string, list []*tar.Header) {
	for _, h := range l.entries {
		if h.Typeflag != tar.TypeDir {
			list = append(list, h)
		}
	}
	if len(list) == 0 {
		return "", nil
	}
	dest = path.Dir(list[0].Name)
	for _, h := range list {
		for dest != "." && !strings.HasPrefix(h.Name, dest+"/") {
			dest = path.Dir(dest)
		}
	}
	if dest == "." {
		return "", nil
	}
	return dest, l.under(dest)
}

// straight refuses entries below what is no folder: no builder writes a layer
// like that, and following a link here would lead anywhere.
func straight(found []*tar.Header) error {
	kinds := map[string]byte{}
	for _, h := range found {
		kinds[h.Name] = h.Typeflag
	}
	for _, h := range found {
		for up := path.Dir(h.Name); up != "."; up = path.Dir(up) {
			if kind, ok := kinds[up]; ok && kind != tar.TypeDir {
				return fmt.Errorf("the layer has /%s below /%s, which is no folder: the image is damaged or made to deceive", h.Name, up)
			}
		}
	}
	return nil
}

// owned is the owner of files.
type owned struct{ uid, gid int }

// uniform reports whether a COPY can make the entries: files, folders and
// links of one owner. Folders that lead to others may have been there before,
// with an owner of their own.
func uniform(found []*tar.Header, dest string) (owner owned, ok bool) {
	first := true
	for _, h := range found {
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeLink, tar.TypeSymlink:
		case tar.TypeDir:
			if h.Name == dest || leads(h.Name, found) {
				continue
			}
		default:
			return owner, false
		}
		for key := range h.PAXRecords {
			if strings.HasPrefix(key, "SCHILY.xattr.") {
				return owner, false
			}
		}
		if o := (owned{h.Uid, h.Gid}); first {
			owner, first = o, false
		} else if o != owner {
			return owner, false
		}
	}
	if first { // but folders
		last := found[len(found)-1]
		owner = owned{last.Uid, last.Gid}
	}
	return owner, true
}

// leads reports whether a folder has anything in it here.
func leads(dir string, found []*tar.Header) bool {
	return slices.ContainsFunc(found, func(h *tar.Header) bool { return strings.HasPrefix(h.Name, dir+"/") })
}

// unpacked reports whether an ADD took an archive apart.
func unpacked(c history.Copy, found []*tar.Header, dest string) bool {
	if len(c.Sources) == 1 && archiveName(c.Sources[0]) {
		return !slices.ContainsFunc(found, func(h *tar.Header) bool {
			return h.Typeflag == tar.TypeReg && (h.Name == dest || h.Name == path.Join(dest, path.Base(c.Sources[0])))
		})
	}
	files := slices.DeleteFunc(slices.Clone(found), func(h *tar.Header) bool { return h.Typeflag == tar.TypeDir })
	return c.Kind == "file" && (len(files) != 1 || dest == "")
}

func archiveName(name string) bool {
	for _, ext := range []string{".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tar.zst"} {
		if strings.HasSuffix(name, ext) {
			return true
		}
	}
	return false
}
