package sqlstore

import "syscall"

// networks are file systems of other hosts, by the numbers that the kernel has for them.
var networks = map[int64]string{0x6969: "NFS", 0x517b: "SMB", 0xff534d42: "CIFS", 0xfe534d42: "SMB2", 0x5346414f: "AFS", 0x00c36400: "Ceph", 0x01021997: "9P"}

// diskOf tells about the file system of a folder; false where the system does not tell.
func diskOf(folder string) (disk, bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return disk{}, false
	}
	//nolint:unconvert // the types differ between machines
	return disk{free: int64(s.Bavail) * int64(s.Bsize), network: networks[int64(uint32(s.Type))]}, true
}
