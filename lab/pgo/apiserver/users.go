package apiserver

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
	"github.com/adbsql/antdbctl/lab/pgo/oddity"
)

// Database runs statements as superuser on the primary of a cluster.
type Database interface {
	Exec(ctx context.Context, host, password string, statements ...string) error
}

// errScram is what the original's driver, as old as this one's, says to a server that wants SCRAM.
var errScram = errors.New("pq: unknown authentication response: 10")

var userName = regexp.MustCompile(`^[a-z0-9.-]*$`)

func (s *Server) usersOf(c *call, request userRequest) ([]*crv1.Cluster, string) {
	if msg := s.check(c, request.ClientVersion, request.Namespace); msg != "" {
		return nil, msg
	}
	if !request.AllFlag && request.Selector == "" && len(request.Clusters) == 0 {
		return nil, "--selector, --all, or list of cluster names  is required"
	}
	all, err := s.clusters().List(c.Context(), request.Namespace, request.Selector)
	if err != nil {
		return nil, err.Error()
	}
	if len(request.Clusters) > 0 {
		all = slices.DeleteFunc(all, func(one *crv1.Cluster) bool { return !slices.Contains(request.Clusters, one.Name) })
	}
	if len(all) == 0 {
		return nil, "no clusters found"
	}
	return all, ""
}

func (s *Server) showUsers(c *call) any {
	request := read[userRequest](c)
	answer := userAnswer{Results: []userDetail{}}
	found, msg := s.usersOf(c, request)
	if msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	for _, cluster := range found {
		cluster.TypeMeta = metav1.TypeMeta{}
		detail := userDetail{Cluster: *cluster, Secrets: []secretDetail{}, ExpiredMsgs: []string{}}
		list, err := s.Kube.CoreV1().Secrets(cluster.Namespace).List(c.Context(), metav1.ListOptions{
			LabelSelector: crv1.LabelCluster + "=" + cluster.Name + ",!" + crv1.LabelRepo,
		})
		if err != nil {
			answer.Status = failed(err.Error())
			return answer
		}
		slices.SortFunc(list.Items, func(a, b corev1.Secret) int { return strings.Compare(a.Name, b.Name) })
		for _, secret := range list.Items {
			detail.Secrets = append(detail.Secrets, secretDetail{
				Name: secret.Name, Username: string(secret.Data["username"]), Password: string(secret.Data["password"]),
			})
		}
		answer.Results = append(answer.Results, detail)
	}
	answer.Status = ok("")
	return answer
}

func (s *Server) createUser(c *call) any {
	request := read[userRequest](c)
	return s.eachCluster(c, request, func(cluster *crv1.Cluster) (string, error) {
		if request.Username == "" || !userName.MatchString(request.Username) {
			return "", fmt.Errorf("user name %q must match %s", request.Username, userName)
		}
		password := request.Password
		if password == "" {
			password = NewPassword(max(request.PasswordLength, passwordLength))
		}
		name := quoteIdentifier(request.Username)
		err := s.onPrimary(c.Context(), cluster,
			"CREATE USER "+name+" "+s.validity(request.Username, password, request.PasswordAgeDays),
			"GRANT ALL PRIVILEGES ON DATABASE "+quoteIdentifier(cluster.Spec.Database)+" TO "+name)
		if err != nil {
			return "", err
		}
		if request.ManagedUser {
			if err := s.writeUserSecret(c.Context(), cluster.Namespace, cluster.Name, request.Username, password); err != nil {
				return "", err
			}
		}
		return "adding new user " + request.Username + " to " + cluster.Name, nil
	})
}

// updateUser changes one user's password. The Secret follows if the user has one.
func (s *Server) updateUser(c *call) any {
	request := read[userRequest](c)
	switch {
	case request.Username == "":
		return results{Results: []string{}, Status: failed("Either --expired or --username must be set.")}
	case request.Expired != "":
		return results{Results: []string{}, Status: failed("The --expired cannot be used when a user is specified.")}
	case request.ExpireUser:
		request.PasswordAgeDays = -2 // two days back
	}
	return s.eachCluster(c, request, func(cluster *crv1.Cluster) (string, error) {
		name := quoteIdentifier(request.Username)
		if request.Password == "" {
			return "updating valid days for password of user " + request.Username + " on " + cluster.Name,
				s.onPrimary(c.Context(), cluster, "ALTER USER "+name+" VALID UNTIL '"+s.validUntil(request.PasswordAgeDays)+"'")
		}
		err := s.onPrimary(c.Context(), cluster,
			"ALTER USER "+name+" "+s.validity(request.Username, request.Password, request.PasswordAgeDays))
		if err != nil {
			return "", err
		}
		_, err = s.secret(c.Context(), cluster.Namespace, crv1.UserSecret(cluster.Name, request.Username))
		if err == nil {
			err = s.writeUserSecret(c.Context(), cluster.Namespace, cluster.Name, request.Username, request.Password)
		} else if apierrors.IsNotFound(err) {
			err = nil
		}
		return "changing password of user " + request.Username + " on " + cluster.Name, err
	})
}

func (s *Server) deleteUser(c *call) any {
	request := read[userRequest](c)
	return s.eachCluster(c, request, func(cluster *crv1.Cluster) (string, error) {
		name := quoteIdentifier(request.Username)
		err := s.onPrimary(c.Context(), cluster,
			"REVOKE ALL PRIVILEGES ON DATABASE "+quoteIdentifier(cluster.Spec.Database)+" FROM "+name, "DROP USER "+name)
		if err != nil {
			return "", err
		}
		err = s.Kube.CoreV1().Secrets(cluster.Namespace).
			Delete(c.Context(), crv1.UserSecret(cluster.Name, request.Username), metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return "", err
		}
		return fmt.Sprintf("%s on %s removed managed=%t", request.Username, cluster.Name, err == nil), nil
	})
}

// eachCluster runs do on every cluster the request means and stops at the first fault.
func (s *Server) eachCluster(c *call, request userRequest, do func(*crv1.Cluster) (string, error)) any {
	answer := results{Results: []string{}}
	found, msg := s.usersOf(c, request)
	if msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	odd, err := oddity.Read(c.Context(), s.Kube, request.Namespace)
	if err != nil {
		answer.Status = failed(err.Error())
		return answer
	}
	for _, cluster := range found {
		line, err := "", errScram
		if !odd.Has(oddity.Scram, cluster.Name) {
			line, err = do(cluster)
		}
		if err != nil {
			answer.Status = failed(err.Error())
			return answer
		}
		answer.Results = append(answer.Results, line)
		// the work is done; the original fails to tell its event service then, and says so instead
		if odd.Has(oddity.NoEventAddress, cluster.Name) && c.URL.Path != "/userdelete" {
			answer.Status = failed("EVENT_ADDR not set")
			return answer
		}
	}
	answer.Status = ok("")
	return answer
}

// onPrimary connects to the cluster's Service, with the password that the root Secret has: a postgres password that
// was changed by hand makes every user call fail.
func (s *Server) onPrimary(ctx context.Context, cluster *crv1.Cluster, statements ...string) error {
	service, err := s.Kube.CoreV1().Services(cluster.Namespace).Get(ctx, cluster.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	root, err := s.secret(ctx, cluster.Namespace, cluster.Spec.RootSecretName)
	if err != nil {
		return err
	}
	return s.SQL.Exec(ctx, service.Spec.ClusterIP+":"+cluster.Spec.Port, root["password"], statements...)
}

// validUntil counts days from now; 0 is today, so the login is refused at once.
func (s *Server) validUntil(days int) string {
	return s.Now().UTC().AddDate(0, 0, days).Format("2006-01-02")
}

// validity sends the password in its MD5 form, which is why the clusters run with password_encryption md5.
func (s *Server) validity(user, password string, days int) string {
	sum := md5.Sum([]byte(password + user))
	return fmt.Sprintf("PASSWORD 'md5%x' VALID UNTIL '%s'", sum, s.validUntil(days))
}

func quoteIdentifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
