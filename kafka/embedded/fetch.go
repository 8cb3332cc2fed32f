package embedded

import (
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// minShare is the least that a partition may fill of an answer, so that a small
// limit over many partitions does not make answers of single batches.
const minShare = 1 << 20

// boundByPartition puts a fetch's limit in bytes on its partitions, to each an
// equal share. kfake ends an answer that has reached the limit of the whole
// without the list of aborted transactions of the partition it was at, and
// readers of committed records then take those records for committed.
func boundByPartition(req *kmsg.FetchRequest) {
	partitions := 0
	for _, rt := range req.Topics {
		partitions += len(rt.Partitions)
	}
	share := max(req.MaxBytes/int32(max(partitions, 1)), minShare)
	for i := range req.Topics {
		ps := req.Topics[i].Partitions
		for j := range ps {
			ps[j].PartitionMaxBytes = min(ps[j].PartitionMaxBytes, share)
		}
	}
	req.MaxBytes = math.MaxInt32
}
