package relay

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/shell"
	"github.com/adbsql/antdbctl/engine/conn/ssh"
)

var (
	//go:embed door.sh
	doorScript string
	//go:embed start.sh
	startScript string
	//go:embed station.sh
	stationScript string
	//go:embed enter.sh
	enterScript string
	//go:embed stop.sh
	stopScript string
	//go:embed hop.sh
	hopScript string
	//go:embed poll.sh
	pollScript string
)

// startText is the start script with all that it leaves on a node.
var startText = func() string {
	var all strings.Builder
	for _, part := range []struct{ name, text string }{
		{"door", doorScript}, {"station", stationScript}, {"enter", enterScript}, {"stop", stopScript}, {"hop", hopScript}, {"poll", pollScript},
	} {
		all.WriteString(part.name + "=" + shell.Quote(shell.Lean(part.text)) + "\n")
	}
	return all.String() + shell.Lean(startScript)
}()

// station is the far side of a node.
type station struct {
	host     conn.Runner
	dir      string
	programs []string // of those that not every node has
	key      []byte   // private key that opens it to another node; nil when it stays shut
}

// openStation starts the node's station for a cargo, or finds the one that an
// earlier run left there.
func openStation(ctx context.Context, n *Node, cargo Cargo, owner string, l limits) (*station, error) {
	s := &station{host: n.Host}
	public, login := "", ""
	if n.Login != nil {
		var err error
		if s.key, public, err = oneTimeKey(); err != nil {
			return nil, err
		}
		login = n.Login.User
	}
	load := shell.Quote(n.Load.Args...)
	run := func(script string) (conn.Result, error) {
		cmd := conn.Script(script, "cargo-"+stationName(n, cargo), strconv.Itoa(chunksOf(cargo)), strconv.Itoa(chunkSize),
			seconds(l.patience), seconds(l.free), owner, login, public, "exec "+load)
		cmd.Env = n.Load.Env
		return n.Host.Run(ctx, cmd)
	}
	out, err := run(shell.Packed(startText))
	if code, _ := conn.ExitCode(err); code == 127 { // it has nothing to unpack with
		out, err = run(startText)
	}
	if err != nil {
		return nil, err
	}
	word, rest, _ := strings.Cut(strings.TrimSpace(out.Stdout), " ")
	switch word {
	case "lacks":
		return nil, fmt.Errorf("%s lacks %s", n.Name, rest)
	case "busy":
		return nil, fmt.Errorf("%w: %s", ErrBusy, rest)
	case "ready":
	default:
		return nil, fmt.Errorf("%s answered %q", n.Name, out.Stdout)
	}
	f := strings.Fields(rest)
	if len(f) < 2 {
		return nil, fmt.Errorf("%s answered %q", n.Name, out.Stdout)
	}
	s.dir, s.programs = f[0], f[2:]
	if f[1] != "open" {
		s.key = nil
	}
	return s, nil
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }

// stationName is that of the station's folder: the same for another run that brings the
// same to the same place.
func stationName(n *Node, cargo Cargo) string {
	sum := sha256.Sum256([]byte(strings.Join(append([]string{cargo.ID(), n.Name}, n.Load.Args...), "\n")))
	return hex.EncodeToString(sum[:12])
}

// oneTimeKey makes a key pair: the private key as OpenSSH reads it, the public
// one as it stands in authorized_keys.
func oneTimeKey() (private []byte, public string, err error) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, "", err
	}
	block, err := xssh.MarshalPrivateKey(priv, "")
	if err != nil {
		return nil, "", err
	}
	key, err := xssh.NewPublicKey(pub)
	if err != nil {
		return nil, "", err
	}
	return pem.EncodeToMemory(block), authorized(key), nil
}

func authorized(key xssh.PublicKey) string {
	return strings.TrimSpace(string(xssh.MarshalAuthorizedKey(key)))
}

// status is how a station is.
type status struct {
	gone    bool // there is no station
	session int
	next    int  // the first chunk that it lacks
	from    int  // the first chunk that its hop passes on; -1 without a hop
	took    int  // hundredths of a second that the last chunk took to come in
	unmet   bool // a connection to the next station stands, and no chunk came since
	hopped  bool // the connection to the next station has ended
	hop     string
	loaded  bool // what loads has ended
	code    int
	log     string
}

// pollCommand is short because it is sent all the time.
const pollCommand = `if cd "$1" 2>/dev/null; then . ./poll; else echo "== gone"; fi`

// poll asks the station how it is, which also keeps it.
func (s *station) poll(ctx context.Context) (status, error) {
	st := status{from: -1}
	out, err := s.host.Run(ctx, conn.Look(pollCommand, s.dir))
	if err != nil {
		return st, err
	}
	for _, section := range strings.Split("\n"+out.Stdout, "\n== ")[1:] {
		head, body, _ := strings.Cut(section, "\n")
		word, rest, _ := strings.Cut(head, " ")
		switch word {
		case "gone":
			st.gone = true
		case "dead":
			st.gone, st.log = true, body
		case "state":
			var from string
			if _, err := fmt.Sscan(rest, &st.session, &st.next, &from, &st.took); err != nil {
				return st, fmt.Errorf("state of the station: %q: %w", rest, err)
			}
			if from != "-" {
				if st.from, err = strconv.Atoi(from); err != nil {
					return st, fmt.Errorf("state of the station: %q: %w", rest, err)
				}
			}
		case "unmet":
			st.unmet = true
		case "hop":
			st.hopped, st.hop = true, strings.TrimSpace(body)
		case "load":
			st.loaded, st.log = true, body
			st.code, _ = strconv.Atoi(rest)
		}
	}
	return st, nil
}

// feed brings chunks to the station until r ends or the way is cut.
func (s *station) feed(ctx context.Context, r io.Reader) error {
	_, err := s.host.Run(ctx, conn.Cmd{Args: []string{"sh", s.dir + "/enter", "now"}, Stdin: r})
	return err
}

// link connects the station with another one, to which it passes on what comes.
func (s *station) link(ctx context.Context, to ssh.Login, next *station) error {
	host, port, err := net.SplitHostPort(to.Address)
	if err != nil {
		return err
	}
	cmd := conn.Command("sh", s.dir+"/hop", s.dir, host, port, to.User, authorized(to.HostKey))
	cmd.Stdin = strings.NewReader(string(next.key))
	_, err = s.host.Run(ctx, cmd)
	return err
}

// cut ends the connection to the next station, if there is one.
func (s *station) cut(ctx context.Context) error {
	_, err := s.host.Run(ctx, conn.Script(`read -r hop <"$1/hop.pid" && kill -TERM "-$hop"; exit 0`, s.dir))
	return err
}

// clear ends who brings chunks to the station, if somebody does: the far end of
// a connection that broke may not know it yet.
func (s *station) clear(ctx context.Context) error {
	_, err := s.host.Run(ctx, conn.Script(`cd "$1" && read -r session _ <state && read -r pid <"turn.$session" && kill -KILL "$pid"; exit 0`, s.dir))
	return err
}

// release tells the next run that it need not wait for this one.
func (s *station) release(ctx context.Context) error {
	_, err := s.host.Run(ctx, conn.Script(`[ ! -e "$1/owner" ] || : >"$1/owner"`, s.dir))
	return err
}

// stop ends the station and takes its traces away.
func (s *station) stop(ctx context.Context) error {
	_, err := s.host.Run(ctx, conn.Script(`[ ! -e "$1/stop" ] || exec sh "$1/stop"`, s.dir))
	return err
}

// has tells whether one of gzip, zstd and ssh is there.
func (s *station) has(program string) bool { return slices.Contains(s.programs, program) }

// unreachable reports that an error is about the way to a node, not about the
// node: the same may work in a moment.
func unreachable(err error) bool {
	u := (*conn.Unreachable)(nil)
	return errors.As(err, &u)
}
