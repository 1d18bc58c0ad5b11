# Recovered from crunchy-postgres-ha.txt by antdbctl image recover. What the history does not tell
# is marked "guess:", with the reason.
#
# The history has no files. Put these beside this Dockerfile before you build:
#   licenses  (COPY /licenses)
#   bin/postgres-ha  (ADD /opt/cpm/bin)
#   bin/common  (ADD /opt/cpm/bin)
#   conf/postgres-ha  (ADD /opt/cpm/conf)
#   tools/pgmonitor/exporter/postgres  (ADD /opt/cpm/bin/modules/pgexporter)
#   yq  (ADD /opt/cpm/bin)

# guess: no history has a FROM; centos:7.7.1908 is likely:
#   - the label org.label-schema.name says CentOS Base Image, and 7.7.1908 was the release of 7 at
#     its build date 20191001
#   - a CMD among the first rows ends the base
#   - the rows up to there were written by Docker's classic builder, those above by buildah
#   - the rows up to there date from 3 months ago, those above from 6 weeks ago
FROM centos:7.7.1908

# The values of build arguments are public: whoever has the image can read them.
# guess: no row of the history declares RELVER; its value is that of the RUN rows
ARG RELVER=4.2.1

LABEL vendor="Crunchy Data" \
      url="https://crunchydata.com" \
      release="${RELVER}" \
      org.opencontainers.image.vendor="Crunchy Data" \
      os.version="7.7"

COPY licenses /licenses

ENV LC_ALL=en_US.utf-8
ENV LANG=en_US.utf-8

RUN yum -y update \
    && yum -y install \
        --setopt=skip_missing_names_on_install=False \
        bind-utils \
        epel-release \
        gettext \
        hostname \
        procps-ng \
    && yum -y clean all

ARG PG_MAJOR=11
ARG PGDG_REPO_RPM=https://download.postgresql.org/pub/repos/yum/${PG_MAJOR}/redhat/rhel-7-x86_64/pgdg-redhat-repo-latest.noarch.rpm
ARG PG_LBL=11

# guess: no row of the history declares PG_FULL; its value is that of the RUN rows
ARG PG_FULL=11.6

LABEL postgresql.version.major="${PG_MAJOR}" postgresql.version="${PG_FULL}"

# guess: no line below names these; the RUN rows had them in their environment
ARG BASEVER=4.2.1
ARG PREFIX=crunchydata

RUN yum -y install ${PGDG_REPO_RPM} \
    && sed -i 's/enabled=1/enabled=0/' /etc/yum.repos.d/pgdg*.repo \
    && yum -y install \
        --enablerepo="pgdg${PG_LBL}" \
        --setopt=skip_missing_names_on_install=False \
        postgresql${PG_LBL} \
    && yum -y clean all --enablerepo="pgdg${PG_LBL}"

ENV PGROOT="/usr/pgsql-${PG_MAJOR}" PGVERSION="${PG_MAJOR}"

ARG BACKREST_VER=2.20
ARG PGAUDIT_LBL=13_11

RUN yum -y install \
        --enablerepo="pgdg${PG_MAJOR//.}" \
        --setopt=skip_missing_names_on_install=False \
        openssh-clients \
        openssh-server \
        pgaudit${PGAUDIT_LBL} \
        pgbackrest-${BACKREST_VER} \
        postgresql${PG_MAJOR//.}-contrib \
        postgresql${PG_MAJOR//.}-server \
        postgresql${PG_MAJOR//.}-plpython \
        psmisc \
        rsync \
    && yum -y clean all --enablerepo="pgdg${PG_MAJOR//.}"

ARG PATRONI_VER=1.6.3

LABEL name="postgres-ha" \
      summary="PostgreSQL ${PG_FULL} (PGDG) with Patroni" \
      description="Used for the deployment and management of highly-available PostgreSQL clusters using Patroni." \
      io.k8s.description="Crunchy PostgreSQL optimized for high-availability (HA)" \
      io.k8s.display-name="Crunchy PostgreSQL - HA Optimized" \
      io.openshift.tags="postgresql,postgres,postgis,sql,nosql,database,ha,crunchy"

RUN yum -y install \
        --enablerepo="pgdg${PG_MAJOR//.}" \
        --setopt=skip_missing_names_on_install=False \
        gcc \
        python3-devel \
        python3-pip \
        python3-psycopg2 \
    && yum -y clean all --enablerepo="pgdg${PG_MAJOR//.}"

RUN pip3 install --upgrade setuptools python-dateutil \
    && pip3 install patroni[kubernetes]=="${PATRONI_VER}"

RUN useradd crunchyadm -g 0 -u 17

ENV PATH="${PGROOT}/bin:${PATH}"

RUN mkdir -p /opt/cpm/bin /opt/cpm/conf /pgdata /pgwal /pgconf /backrestrepo /crunchyadm

RUN chown -R postgres:postgres /opt/cpm /var/lib/pgsql \
        /pgdata /pgwal /pgconf /backrestrepo /crunchyadm \
    && chmod -R g=u /opt/cpm /var/lib/pgsql \
        /pgdata /pgwal /pgconf /backrestrepo /crunchyadm

EXPOSE 5432

ADD bin/postgres-ha /opt/cpm/bin
ADD bin/common /opt/cpm/bin
ADD conf/postgres-ha /opt/cpm/conf
ADD tools/pgmonitor/exporter/postgres /opt/cpm/bin/modules/pgexporter
ADD yq /opt/cpm/bin

RUN chmod +x /opt/cpm/bin/yq

RUN chmod g=u /etc/passwd && chmod g=u /etc/group

RUN mkdir /.ssh && chown 26:0 /.ssh && chmod g+rwx /.ssh

VOLUME ["/pgdata", "/pgwal", "/pgconf", "/backrestrepo", "/sshd"]

ENTRYPOINT ["/opt/cpm/bin/bootstrap-postgres-ha.sh"]

USER 26

CMD ["/usr/local/bin/patroni"]
