package pgcluster

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/apiserver"
	"github.com/adbsql/antdbctl/lab/pgo/crv1"
	"github.com/adbsql/antdbctl/lab/pgo/scram"
)

// userRequest is the union of the bodies of the four user calls.
type userRequest struct {
	AllFlag, ManagedUser, ShowSystemAccounts, SetSystemAccountPassword bool
	ExpireUser, RotatePassword, PasswordValidAlways                    bool
	Clusters                                                           []string
	ClientVersion, Namespace, Selector                                 string
	Username, Password, PasswordType                                   string
	PasswordAgeDays                                                    int
}

type userResult struct {
	ClusterName  string
	Error        bool
	ErrorMessage string
	Password     string
	Username     string
	ValidUntil   string
}

type userAnswer struct {
	Results []userResult
	apiserver.Status
}

const infinity = "infinity"

// eachCluster runs do on every cluster the request means. A fault of one stands in its result; Code stays ok.
func (a *API) eachCluster(c *apiserver.Call, request userRequest, do func(*Cluster, string) []userResult, lost func(error) userResult) any {
	answer := userAnswer{Results: []userResult{}, Status: ok()}
	if msg := a.check(c, request.ClientVersion, request.Namespace); msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	if !request.AllFlag && request.Selector == "" && len(request.Clusters) == 0 {
		answer.Status = failed("--selector, --all, or list of cluster names is required")
		return answer
	}
	all, err := a.clusters().List(c.Context(), request.Namespace, request.Selector)
	if err != nil {
		answer.Status = fault(err)
		return answer
	}
	if len(request.Clusters) > 0 {
		all = slices.DeleteFunc(all, func(one *Cluster) bool { return !slices.Contains(request.Clusters, one.Name) })
	}
	if len(all) == 0 {
		answer.Status = failed("no clusters found")
	}
	for _, cluster := range all {
		pod, err := a.primaryPod(c.Context(), cluster)
		if err != nil {
			result := lost(err)
			if result.Username != "" {
				result.ClusterName = cluster.Name
			}
			answer.Results = append(answer.Results, result)
			continue
		}
		answer.Results = append(answer.Results, do(cluster, pod)...)
	}
	return answer
}

func (a *API) primaryPod(ctx context.Context, cluster *Cluster) (string, error) {
	selector := crv1.LabelCluster + "=" + cluster.Name + "," + crv1.LabelRole + "=master"
	list, err := a.Server.Kube.CoreV1().Pods(cluster.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return "", err
	}
	if len(list.Items) == 0 {
		return "", fmt.Errorf("primary pod not found for selector %q", selector)
	}
	return list.Items[0].Name, nil
}

// sql runs statements in the primary's container. Only what psql says to a fault is in the error.
func (a *API) sql(ctx context.Context, cluster *Cluster, pod, statements string) (string, error) {
	var out bytes.Buffer
	err := a.Exec(ctx, cluster.Namespace, pod, "database", strings.NewReader(statements), &out, "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "postgres")
	if err != nil && out.Len() > 0 {
		return "", errors.New(psqlPrefix.ReplaceAllString(out.String(), ""))
	}
	return out.String(), err
}

var psqlPrefix = regexp.MustCompile(`(?m)^psql:<stdin>:\d+: `)

// systemAccounts are shown on demand only.
var systemAccounts = []string{"ccp_monitoring", "crunchyadm", "postgres", "primaryuser"}

func (a *API) showUsers(c *apiserver.Call) any {
	request := apiserver.Read[userRequest](c)
	lost := func(err error) userResult { return userResult{Error: true, ErrorMessage: err.Error()} }
	return a.eachCluster(c, request, func(cluster *Cluster, pod string) []userResult {
		rows, err := a.sql(c.Context(), cluster, pod,
			"SELECT rolname, coalesce(rolvaliduntil::text, '') FROM pg_roles WHERE rolcanlogin ORDER BY rolname;\n")
		if err != nil {
			return []userResult{lost(err)}
		}
		var out []userResult
		for line := range strings.Lines(rows) {
			name, until, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "|")
			if slices.Contains(systemAccounts, name) && !request.ShowSystemAccounts {
				continue
			}
			result := userResult{ClusterName: cluster.Name, Username: name, ValidUntil: until}
			secret, err := a.Server.Kube.CoreV1().Secrets(cluster.Namespace).Get(c.Context(), crv1.UserSecret(cluster.Name, name), metav1.GetOptions{})
			if err == nil {
				result.Password = string(secret.Data["password"])
			}
			if name != "crunchyadm" {
				out = append(out, result)
			}
		}
		return out
	}, lost)
}

func (a *API) createUser(c *apiserver.Call) any {
	request := apiserver.Read[userRequest](c)
	until := a.validUntil(request)
	lost := func(err error) userResult {
		return userResult{Error: true, ErrorMessage: err.Error(), Username: request.Username, ValidUntil: until}
	}
	return a.eachCluster(c, request, func(cluster *Cluster, pod string) []userResult {
		result := userResult{ClusterName: cluster.Name, Username: request.Username, ValidUntil: until, Password: request.Password}
		err := a.setPassword(c.Context(), cluster, pod, "CREATE ROLE", request, &result)
		if err == nil && request.ManagedUser {
			err = a.writeSecret(c.Context(), cluster, result)
		}
		// in a result with an error the password is one that was never set
		result.Error, result.ErrorMessage = err != nil, text(err)
		return []userResult{result}
	}, lost)
}

func (a *API) updateUser(c *apiserver.Call) any {
	request := apiserver.Read[userRequest](c)
	if slices.Contains(systemAccounts, request.Username) && !request.SetSystemAccountPassword {
		return userAnswer{Results: []userResult{}, Status: failed("Cannot update system account")}
	}
	until := a.validUntil(request)
	lost := func(err error) userResult {
		return userResult{Error: true, ErrorMessage: err.Error(), Username: request.Username}
	}
	return a.eachCluster(c, request, func(cluster *Cluster, pod string) []userResult {
		result := userResult{ClusterName: cluster.Name, Username: request.Username, ValidUntil: until, Password: request.Password}
		var err error
		if request.Password != "" || request.RotatePassword {
			err = a.setPassword(c.Context(), cluster, pod, "ALTER ROLE", request, &result)
		} else {
			_, err = a.sql(c.Context(), cluster, pod, fmt.Sprintf("ALTER ROLE %s VALID UNTIL '%s';\n", quote(request.Username), until))
		}
		if err == nil && result.Password != "" {
			_, missing := a.Server.Kube.CoreV1().Secrets(cluster.Namespace).Get(c.Context(), crv1.UserSecret(cluster.Name, request.Username), metav1.GetOptions{})
			if missing == nil || request.ManagedUser {
				err = a.writeSecret(c.Context(), cluster, result)
			}
		}
		result.Error, result.ErrorMessage = err != nil, text(err)
		return []userResult{result}
	}, lost)
}

func (a *API) deleteUser(c *apiserver.Call) any {
	request := apiserver.Read[userRequest](c)
	lost := func(err error) userResult {
		return userResult{Error: true, ErrorMessage: err.Error(), Username: request.Username}
	}
	return a.eachCluster(c, request, func(cluster *Cluster, pod string) []userResult {
		name := quote(request.Username)
		_, err := a.sql(c.Context(), cluster, pod, fmt.Sprintf("DROP OWNED BY %s;\nDROP ROLE %s;\n", name, name))
		if err == nil {
			err = ignoreMissing(a.Server.Kube.CoreV1().Secrets(cluster.Namespace).
				Delete(c.Context(), crv1.UserSecret(cluster.Name, request.Username), metav1.DeleteOptions{}))
		}
		return []userResult{{ClusterName: cluster.Name, Username: request.Username, Error: err != nil, ErrorMessage: text(err)}}
	}, lost)
}

// setPassword sends the password in its MD5 form, or as a verifier if that is asked for.
func (a *API) setPassword(ctx context.Context, cluster *Cluster, pod, command string, request userRequest, result *userResult) error {
	var err error
	if result.Password == "" {
		if result.Password, err = newPassword(); err != nil {
			return err
		}
	}
	stored := fmt.Sprintf("md5%x", md5.Sum([]byte(result.Password+request.Username)))
	if request.PasswordType == "scram-sha-256" || request.PasswordType == "" && cluster.Spec.PasswordType == "scram-sha-256" {
		if stored, err = scram.Verifier(result.Password); err != nil {
			return err
		}
	}
	statement := fmt.Sprintf("%s %s WITH LOGIN PASSWORD '%s' VALID UNTIL '%s';\n", command, quote(request.Username), stored, result.ValidUntil)
	if command == "CREATE ROLE" {
		statement += fmt.Sprintf("GRANT ALL PRIVILEGES ON DATABASE %s TO %s;\n", quote(cluster.Spec.Database), quote(request.Username))
	}
	_, err = a.sql(ctx, cluster, pod, statement)
	return err
}

func (a *API) writeSecret(ctx context.Context, cluster *Cluster, user userResult) error {
	secrets := a.Server.Kube.CoreV1().Secrets(cluster.Namespace)
	wanted := userSecret(cluster.Namespace, cluster.Name, user.Username, user.Password)
	found, err := secrets.Get(ctx, wanted.Name, metav1.GetOptions{})
	if isMissing(err) {
		_, err = secrets.Create(ctx, wanted, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	found.Data = wanted.Data
	_, err = secrets.Update(ctx, found, metav1.UpdateOptions{})
	return err
}

// validUntil counts days from now; without days a password is good for ever.
func (a *API) validUntil(r userRequest) string {
	switch {
	case r.ExpireUser:
		return a.Server.Now().UTC().AddDate(0, 0, -2).Format(time.RFC3339)
	case r.PasswordAgeDays > 0 && !r.PasswordValidAlways:
		return a.Server.Now().UTC().AddDate(0, 0, r.PasswordAgeDays).Format(time.RFC3339)
	}
	return infinity
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
