package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/event"
)

// A plain log says how a long step comes on, when the step is not over soon,
// and again from time to time: once for all its hosts.
const (
	progressAfter = 2 * time.Second
	progressEvery = 5 * time.Second
)

// moving is a step of which instances report progress.
type moving struct {
	next   time.Time // when it is due to be said
	meters []*meter
	of     []string // addresses of the meters' instances
	ended  sum
}

func (m *moving) meter(address string) *meter {
	for n, a := range m.of {
		if a == address {
			return m.meters[n]
		}
	}
	m.of, m.meters = append(m.of, address), append(m.meters, &meter{})
	return m.meters[len(m.meters)-1]
}

func stepOf(address string) string {
	step, _, _ := strings.Cut(address, "[")
	return step
}

func (t *Text) printProgress(now time.Time, p event.StepProgress) {
	step := t.steps[stepOf(p.Address)]
	if step == nil {
		step = &moving{next: now.Add(progressAfter)}
		t.steps[stepOf(p.Address)] = step
	}
	one := step.meter(p.Address)
	one.report(now, p)
	if now.Before(step.next) {
		return
	}
	step.next = now.Add(progressEvery)
	all := step.ended
	for _, m := range step.meters {
		all.add(m, now)
	}
	if all.hosts > 1 {
		t.say(fmt.Sprintf("%s (%s):", stepOf(p.Address), plural(all.hosts, "host")), all.done, all.total, "B", pace(all.speed, all.total-all.done))
		return
	}
	t.say(p.Address+":", p.Done, p.Total, p.Unit, one.pace(now))
}

func (t *Text) say(who string, done, total int64, unit, pace string) {
	text := amount(done, unit)
	if total > 0 {
		text = fraction(done, total, unit) + fmt.Sprintf(" (%d %%)", min(done, total)*100/total)
	}
	if pace != "" {
		text += " · " + pace
	}
	t.printf("    %s %s\n", t.dim(who), text)
}

// restart forgets how fast an instance was in the phase before.
func (t *Text) restart(address string) {
	if step := t.steps[stepOf(address)]; step != nil {
		*step.meter(address) = meter{}
	}
}

// forget takes an instance that ended out of those that move.
func (t *Text) forget(address string) {
	step := t.steps[stepOf(address)]
	if step == nil {
		return
	}
	step.ended.end(step.meter(address))
	*step.meter(address) = meter{}
	for _, m := range step.meters {
		if !m.first.IsZero() {
			return
		}
	}
	delete(t.steps, stepOf(address))
}

// worthTelling is how many bytes make a transfer that a person asks about.
const worthTelling = 1 << 20

// transfers is "214.0 MiB in 18.2 s (11.8 MiB/s)", with the verb of each if
// there are several. What the summary has said already is left out.
func transfers(all []event.Transfer, summary string) string {
	var told []string
	for _, one := range all {
		if one.Bytes < worthTelling {
			continue
		}
		text := fmt.Sprintf("%s in %s", size(one.Bytes), seconds(one.Seconds))
		if len(all) == 1 && strings.Contains(summary, size(one.Bytes)) {
			text = "in " + seconds(one.Seconds)
		}
		if one.Seconds > 0.01 {
			text += fmt.Sprintf(" (%s/s)", size(int64(float64(one.Bytes)/one.Seconds)))
		}
		if one.Verb != "" && len(all) > 1 {
			text = one.Verb + ": " + text
		}
		told = append(told, text)
	}
	return strings.Join(told, ", ")
}
