# Recovered from buildah.txt by antdbctl image recover. What the history does not tell is marked
# "guess:", with the reason.
#
# The history has no files. Put these beside this Dockerfile before you build:
#   files/opt/bin  (COPY /opt/bin)
#   files-2/opt/bin/ad021b4e2a94  (COPY /opt/bin/)
#   files/opt/multi  (COPY /opt/multi/)
#   files/opt/yq2  (ADD /opt/yq2)

# The base is stated: buildah noted "FROM localhost/base:1" with the first row above it.
FROM localhost/base:1

# The values of build arguments are public: whoever has the image can read them.
ARG V=1
ARG W="x y=z"
ARG NODEF=nd

LABEL name="my app" desc="it's \"quoted\" \$HOME" v=$V

ENV A=1 B="two words" C="dollar \$X"
ENV P=/x:$PATH

RUN echo hi > /hi && mkdir -p /opt/x && touch "/opt/x/${V}"

RUN ["mkdir", "/opt/exec form"]

# guess: the name of the source is made up: the history has only its checksum, dir:36a21d227ef4
COPY files/opt/bin /opt/bin

# guess: the name of the source is made up: the history has only its checksum, file:ad021b4e2a94
COPY files-2/opt/bin/ad021b4e2a94 /opt/bin/

# guess: the name of the source is made up: the history has only its checksum, multi:f2428fbe5a91
COPY files/opt/multi /opt/multi/

# guess: the name of the source is made up: the history has only its checksum, file:7f0e898a14ec
ADD files/opt/yq2 /opt/yq2

WORKDIR /srv/app
WORKDIR sub

EXPOSE 5432 8009/udp

VOLUME /data /d2
VOLUME ["/j1", "/j 2"]

SHELL ["/bin/sh", "-ec"]

RUN echo shell > /srv/app/sh

HEALTHCHECK --interval=5s --timeout=3s --retries=3 CMD echo ok || exit 1

STOPSIGNAL SIGINT

ONBUILD RUN echo hello

MAINTAINER me <me@x>

USER 26

ENTRYPOINT ["/bin/sh", "-c", "echo \"$0\""]

CMD ["a", "b c"]
