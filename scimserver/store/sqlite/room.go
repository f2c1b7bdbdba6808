package sqlite

import (
	"syscall"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// roomAgain is how many bytes must be free on a disk that was full before it counts as having room. After a change that did not fit the log is
// copied, and its pages take small changes for a while, though the next one of some size is refused.
const roomAgain = 1 << 20

// lastFailure is why the writer's last change failed, nil if it did not. A disk that was full stays so until there is room, whatever fits
// meanwhile.
func (w *writer) lastFailure() error {
	if last := w.failure.Load(); last != nil {
		return *last
	}
	return nil
}

// succeeded forgets why a change failed, after one that did not.
func (w *writer) succeeded() {
	if last := w.lastFailure(); last != nil && !w.stillFull(last) {
		w.failure.Store(nil)
	}
}

// stillFull tells whether a change failed for want of room, and there is none yet. Where the system does not say how much there is, as under a
// quota, it is for a change of some size to find out.
func (w *writer) stillFull(failure error) bool {
	var disk syscall.Statfs_t
	if reason(failure) != v1alpha1.ReasonVolumeFull || syscall.Statfs(w.putting.folder, &disk) != nil {
		return false
	}
	return disk.Bavail*uint64(disk.Bsize) < roomAgain
}
