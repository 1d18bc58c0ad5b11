# Recovered from buildkit.txt by antdbctl image recover. What the history does not tell is marked
# "guess:", with the reason.
#
# The history has no files. Put these beside this Dockerfile before you build:
#   app/bin  (COPY /opt/bin)
#   app/yq  (COPY /opt/bin/)
#   app/yq  (COPY /opt/multi/)
#   app/bin/a.sh  (COPY /opt/multi/)
#   app/yq  (ADD /opt/yq2)

# guess: The history does not name the base; put its name here. Of its place:
#   - a CMD among the first rows ends the base
#   - the rows up to there were written by Docker's classic builder, those above by BuildKit
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

COPY app/bin /opt/bin
COPY app/yq /opt/bin/
COPY app/yq app/bin/a.sh /opt/multi/

ADD app/yq /opt/yq2

WORKDIR /srv/app
WORKDIR /srv/app/sub

EXPOSE 5432 8009/udp

VOLUME ["/data", "/d2"]
VOLUME ["/j1", "/j 2"]

SHELL ["/bin/sh", "-ec"]

RUN echo shell > /srv/app/sh

HEALTHCHECK --interval=5s --timeout=3s --retries=3 CMD echo ok || exit 1

STOPSIGNAL SIGINT

MAINTAINER me <me@x>

USER 26

ENTRYPOINT ["/bin/sh", "-c", "echo \"$0\""]

CMD ["a", "b c"]
