export NSS_WRAPPER_SUBDIR=postgres CRUNCHY_NSS_USERNAME=postgres
mkdir -p "/tmp/nss_wrapper/${NSS_WRAPPER_SUBDIR}" && cp /etc/passwd /etc/group "/tmp/nss_wrapper/${NSS_WRAPPER_SUBDIR}/"
