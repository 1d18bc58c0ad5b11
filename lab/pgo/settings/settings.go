// Package settings holds what pgo.yaml configures in the original and the lab may want to change.
package settings

import "github.com/adbsql/antdbctl/lab/pgo/crv1"

// Version is the version the apiserver demands from its clients, character by character.
const Version = "4.2.1"

// Settings are the same for the apiserver and the operator.
type Settings struct {
	Namespace    string // of the operator itself; its users, roles and certificate are there
	Installation string // value of the label pgo-installation-name on managed namespaces
	ImagePrefix  string // CCPImagePrefix: goes before every database image
	Image        string // database image where a request names none
	ImageTag     string // CCPImageTag
	OwnImage     string // the stand-in's image: the Jobs run it
	RepoImage    string // the repository pod's image; empty: the cluster's database image
	StorageClass string // empty: claims without class, storage type "create"; else "dynamic"
	StorageSize  string
}

// FromEnv reads the settings of a pod; getenv is os.Getenv there.
func FromEnv(getenv func(string) string) Settings {
	or := func(name, fallback string) string {
		if v := getenv(name); v != "" {
			return v
		}
		return fallback
	}
	return Settings{
		Namespace:    or("PGO_OPERATOR_NAMESPACE", "pgo"),
		Installation: or("PGO_INSTALLATION_NAME", "lab"),
		ImagePrefix:  or("CCP_IMAGE_PREFIX", "crunchydata"),
		Image:        or("CCP_IMAGE", "crunchy-postgres-ha"),
		ImageTag:     or("CCP_IMAGE_TAG", "centos7-12.1-4.2.1"),
		OwnImage:     or("STANDIN_IMAGE", "antdb-lab/pgo-standin:"+Version),
		RepoImage:    getenv("REPO_IMAGE"),
		StorageClass: getenv("STORAGE_CLASS"),
		StorageSize:  or("STORAGE_SIZE", "1G"),
	}
}

// Storage is the storage of every claim.
func (s Settings) Storage() crv1.Storage {
	storage := crv1.Storage{
		AccessMode: "ReadWriteMany", Size: s.StorageSize, StorageType: "create",
	}
	if s.StorageClass != "" {
		storage.StorageClass, storage.StorageType = s.StorageClass, "dynamic"
	}
	return storage
}

// StorageConfigs are the names of storage that a request may give, "" being the default. They all mean the same here.
var StorageConfigs = []string{"", "hostpathstorage", "storageos"}

// ContainerResources are the sets of resources that a request may name; the default is none, as in the shipped pgo.yaml.
var ContainerResources = map[string]crv1.Resources{
	"":      {},
	"small": {RequestsMemory: "512Mi", RequestsCPU: "0.1", LimitsMemory: "512Mi", LimitsCPU: "0.1"},
	"large": {RequestsMemory: "2Gi", RequestsCPU: "2.0", LimitsMemory: "2Gi", LimitsCPU: "4.0"},
}
