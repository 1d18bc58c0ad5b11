# Recovered from classic.txt by antdbctl image recover. What the history does not tell is marked
# "guess:", with the reason.
#
# The history has no files. Put these beside this Dockerfile before you build:
#   files/opt/bin  (COPY /opt/bin)
#   files-2/opt/bin/6985ee8ea746  (COPY /opt/bin/)
#   files/opt/multi  (COPY /opt/multi/)
#   files/opt/yq2  (ADD /opt/yq2)

# guess: The history does not name the base; put its name here. Of its place:
#   - a CMD among the first rows ends the base
FROM unknown-base

# The values of build arguments are public: whoever has the image can read them.
ARG V=1

# the default of W was "a b"; the image was built with another value
ARG W="x y=z"
ARG NODEF=nd

LABEL name="my app" desc="it's \"quoted\" \$HOME" v=1

ENV A=1 B="two words" C="dollar \$X"
ENV P=/x:/bin

RUN echo hi > /hi && mkdir -p /opt/x && touch "/opt/x/${V}"

# guess: no shell ran this: the history joins the words with blanks, so a word with a blank in it
#        looks like two
RUN ["mkdir", "/opt/exec", "form"]

# guess: the name of the source is made up: the history has only its checksum, dir:9cbf3b8c13d5
COPY files/opt/bin /opt/bin

# guess: the name of the source is made up: the history has only its checksum, file:6985ee8ea746
COPY --chown=26:0 files-2/opt/bin/6985ee8ea746 /opt/bin/

# guess: the name of the source is made up: the history has only its checksum, multi:4a14f7f2fe24
COPY files/opt/multi /opt/multi/

# guess: the name of the source is made up: the history has only its checksum, file:6985ee8ea746
ADD files/opt/yq2 /opt/yq2

WORKDIR /srv/app
WORKDIR /srv/app/sub

EXPOSE 5432 8009/udp

VOLUME ["/data", "/d2"]
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
