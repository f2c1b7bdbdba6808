package main

import (
	"math"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
)

// measureVolume registers how large the volume of a folder is and how much of it is left, in bytes, so that an alert comes before it is
// full. Where the system does not say, they are not a number.
func measureVolume(metrics prometheus.Registerer, folder string) {
	gauge := func(name, help string, blocks func(*syscall.Statfs_t) uint64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			var disk syscall.Statfs_t
			if syscall.Statfs(folder, &disk) != nil {
				return math.NaN()
			}
			return float64(blocks(&disk)) * float64(disk.Bsize)
		})
	}
	metrics.MustRegister(
		gauge("scim_volume_free_bytes", "What the directory may still take of its volume.", func(d *syscall.Statfs_t) uint64 { return d.Bavail }),
		gauge("scim_volume_size_bytes", "How large the directory's volume is.", func(d *syscall.Statfs_t) uint64 { return d.Blocks }),
	)
}
