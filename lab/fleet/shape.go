package fleet

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/adbsql/antdbctl/lab/proc"
)

// Rate is a link's speed each way in bits a second; 0 is as fast as the machine can.
type Rate int64

var units = []struct {
	suffix string
	bits   int64
}{{"gbit", 1e9}, {"mbit", 1e6}, {"kbit", 1e3}, {"bit", 1}}

// ParseRate reads a rate as tc writes it, such as 100mbit.
func ParseRate(text string) (Rate, error) {
	if text == "none" {
		return 0, nil
	}
	for _, unit := range units {
		number, found := strings.CutSuffix(text, unit.suffix)
		if !found {
			continue
		}
		value, err := strconv.ParseFloat(number, 64)
		if rate := Rate(value * float64(unit.bits)); err == nil && rate >= minRate {
			return rate, nil
		}
		break
	}
	return 0, fmt.Errorf("rate %q: say a number and kbit, mbit or gbit, such as 100mbit, or none", text)
}

// minRate keeps a typing mistake from making the nodes unreachable.
const minRate = 64_000

func (r Rate) String() string {
	for _, unit := range units {
		if int64(r) >= unit.bits && int64(r)%unit.bits == 0 {
			return fmt.Sprintf("%d%s", int64(r)/unit.bits, unit.suffix)
		}
	}
	return "none"
}

const (
	// A packet that the kernel has not cut into segments yet has up to 64 KiB; a bucket smaller than that would cut it.
	minBurst = 80 << 10
	// How much a link may run ahead after a pause, and how much waits before it: what a switch's buffers hold.
	burstSeconds = 0.005
	queueTime    = "50ms"
)

// tc is the queue that makes a device send at this rate.
func (r Rate) tc(device string) []string {
	if r == 0 {
		return []string{"tc", "qdisc", "delete", "dev", device, "root"}
	}
	burst := max(minBurst, int64(float64(r)/8*burstSeconds))
	return []string{"tc", "qdisc", "replace", "dev", device, "root", "tbf",
		"rate", fmt.Sprintf("%dbit", int64(r)), "burst", strconv.FormatInt(burst, 10), "latency", queueTime}
}

// shape gives every link its rate. A queue holds back only what a device sends, so there is one at each end.
func (f Fleet) shape(ctx context.Context, links []link) error {
	for _, l := range links {
		for _, end := range []struct {
			device string
			prefix []string
		}{{l.end, nil}, {"eth0", l.inside}} {
			look := append(append([]string{}, end.prefix...), "tc", "qdisc", "show", "dev", end.device)
			now, err := proc.Run(ctx, look...)
			if err != nil {
				return err
			}
			if f.Rate == 0 && !strings.Contains(now, "tbf") {
				continue
			}
			if _, err := proc.Run(ctx, append(append([]string{}, end.prefix...), f.Rate.tc(end.device)...)...); err != nil {
				return fmt.Errorf("shape the link of %s: %w", l.machine, err)
			}
		}
	}
	return nil
}
