//go:build !linux

package sqlstore

// diskOf tells about the file system of a folder; false where the system does not tell.
func diskOf(string) (disk, bool) { return disk{}, false }
