FROM base-sh:1 AS server
WORKDIR /w
RUN echo one
FROM base-sh:1
ARG V=1
WORKDIR /x
COPY --from=server /bin/sh /sh-$V
RUN <<EOF
echo the evidence
exit 4
EOF
