# Certificates for servers that answer TLS.
# shellcheck shell=bash

# An authority of SERVER's own, and a certificate by it for the address that servers listen on:
# make_certificates SERVER makes authority.crt, server.crt and server.key.
make_certificates() {
    local dir=$STATE_DIR/$1
    {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 30 \
            -subj "/CN=test authority" -keyout "$dir/authority.key" -out "$dir/authority.crt"
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "/CN=127.0.0.1" \
            -keyout "$dir/server.key" -out "$dir/server.csr"
        openssl x509 -req -in "$dir/server.csr" -CA "$dir/authority.crt" \
            -CAkey "$dir/authority.key" -CAcreateserial -days 30 -out "$dir/server.crt" \
            -extfile <(echo "subjectAltName = IP:127.0.0.1, DNS:localhost")
    } >"$dir/openssl.log" 2>&1
    chmod 644 -- "$dir/authority.crt"
}
