/** A self-signed certificate for tests, and its key. It is worth nothing anywhere else. */
export const testCertificate = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgWK/e/1jjKXPYwcVY
YXi4uPtgPAviAK2Bu/4pi3B+JlehRANCAASuqX8w78N7iGp4gHKUCYiXcWtsgpvw
hXYcXgRtRxaoa+Vt7ZZ2ta5m+PR2oPuNczidegyPPA4mppflvWe2awl7
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBrzCCAVWgAwIBAgIUBw9mr+zqyTdOb6gP/vcPaEjoewIwCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMc2luay5leGFtcGxlMCAXDTI2MTEyMTA4NDIzOVoYDzIxMjYx
MDI4MDg0MjM5WjAXMRUwEwYDVQQDDAxzaW5rLmV4YW1wbGUwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAASuqX8w78N7iGp4gHKUCYiXcWtsgpvwhXYcXgRtRxaoa+Vt
7ZZ2ta5m+PR2oPuNczidegyPPA4mppflvWe2awl7o30wezAdBgNVHQ4EFgQUg6lb
4KnJ/LTIqP/J0GQWvCBK4owwHwYDVR0jBBgwFoAUg6lb4KnJ/LTIqP/J0GQWvCBK
4owwDwYDVR0TAQH/BAUwAwEB/zAoBgNVHREEITAfggxzaW5rLmV4YW1wbGWCCWxv
Y2FsaG9zdIcEfwAAATAKBggqhkjOPQQDAgNIADBFAiEAh9R16l4In344tu3/mM9K
epKLxoOrmqasp2iKBgLDf1YCIDhj+zxI6H85BE3Ufmgs6rglMUyCY3jSkB3/yNAf
aMJW
-----END CERTIFICATE-----
`,
};
