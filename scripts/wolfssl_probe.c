/* Asks a freshly built wolfSSL what it would negotiate. scripts/bootstrap compiles and runs this
 * before it installs the library: a build without the gateway's suites, or with one that must not
 * exist (NULL, anonymous, RC4, 3DES, CCM, Camellia, static RSA, the pre-standard ChaCha20), is never
 * installed. It also prints what one more idle server connection costs on the heap. */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/cryptocb.h>
#include <wolfssl/wolfcrypt/ecc.h>

#include <malloc.h>
#include <stdio.h>
#include <string.h>

static const char* const wanted[] = {
    "TLS13-AES128-GCM-SHA256",       "TLS13-AES256-GCM-SHA384",     "TLS13-CHACHA20-POLY1305-SHA256",
    "ECDHE-RSA-CHACHA20-POLY1305",   "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-SHA",
    "ECDHE-RSA-AES128-GCM-SHA256",   "ECDHE-RSA-AES128-SHA",        "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-SHA",      "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-SHA",
};

/* CBC suites with SHA-2 MACs are on no list of the gateway, but wolfSSL cannot leave them out one by
 * one; tls/ sets its own list, so they are never offered. */
static const char* const unwanted[] = {"NULL", "ADH",      "anon", "RC4",      "DES", "CCM",
                                       "OLD",  "CAMELLIA", "PSK",  "DHE-RSA-", "-8"};

static int is_ephemeral(const char* suite) {
  return strncmp(suite, "TLS13-", 6) == 0 || strncmp(suite, "ECDHE-", 6) == 0;
}

static int failures = 0;

static void complain(const char* what, const char* which) {
  fprintf(stderr, "wolfssl_probe: %s: %s\n", what, which);
  ++failures;
}

static void check_suites(void) {
  static char all[8192];
  if (wolfSSL_get_ciphers(all, (int)sizeof all) != WOLFSSL_SUCCESS) {
    complain("wolfSSL_get_ciphers failed", "list of suites");
    return;
  }
  size_t wanted_count = sizeof wanted / sizeof wanted[0];
  int seen[sizeof wanted / sizeof wanted[0]] = {0};
  int suites = 0;
  for (char* suite = strtok(all, ":"); suite != NULL; suite = strtok(NULL, ":"), ++suites) {
    for (size_t i = 0; i < wanted_count; ++i) seen[i] |= strcmp(suite, wanted[i]) == 0;
    for (size_t i = 0; i < sizeof unwanted / sizeof unwanted[0]; ++i) {
      const char* at = strstr(suite, unwanted[i]);
      /* "DHE-RSA-" is finite-field DHE only where no "EC" stands before it. */
      if (at != NULL && strcmp(unwanted[i], "DHE-RSA-") == 0 && at >= suite + 2 && strncmp(at - 2, "EC", 2) == 0)
        continue;
      if (at != NULL) complain("a suite that must not be compiled in", suite);
    }
    if (!is_ephemeral(suite)) complain("a suite without ephemeral key exchange", suite);
    printf("%s\n", suite);
  }
  for (size_t i = 0; i < wanted_count; ++i)
    if (!seen[i]) complain("a suite that the gateway needs is missing", wanted[i]);
}

static void load_self_signed(WOLFSSL_CTX* tls) {
  static unsigned char key_der[256], certificate_der[2048];
  static Cert certificate;
  WC_RNG rng;
  ecc_key key;
  if (wc_InitRng(&rng) != 0 || wc_ecc_init(&key) != 0 || wc_ecc_make_key(&rng, 32, &key) != 0 ||
      wc_InitCert(&certificate) != 0) {
    complain("cannot make a key", "P-256");
    return;
  }
  strcpy(certificate.subject.commonName, "probe");
  certificate.sigType = CTC_SHA256wECDSA;
  certificate.selfSigned = 1;
  certificate.daysValid = 1;
  int key_size = wc_EccKeyToDer(&key, key_der, sizeof key_der);
  int certificate_size = wc_MakeCert_ex(&certificate, certificate_der, sizeof certificate_der, ECC_TYPE, &key, &rng);
  if (certificate_size > 0)
    certificate_size = wc_SignCert_ex(certificate.bodySz, certificate.sigType, certificate_der, sizeof certificate_der,
                                      ECC_TYPE, &key, &rng);
  if (key_size <= 0 || certificate_size <= 0 ||
      wolfSSL_CTX_use_PrivateKey_buffer(tls, key_der, key_size, WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS ||
      wolfSSL_CTX_use_certificate_buffer(tls, certificate_der, certificate_size, WOLFSSL_FILETYPE_ASN1) !=
          WOLFSSL_SUCCESS)
    complain("cannot make and load a self-signed certificate", "P-256");
  wc_ecc_free(&key);
  wc_FreeRng(&rng);
}

static void check_protocols_and_heap(void) {
  WOLFSSL_CTX* tls = wolfSSL_CTX_new(wolfSSLv23_server_method());
  if (tls == NULL) {
    complain("wolfSSL_CTX_new failed", "server, TLS 1.2 and 1.3");
    return;
  }
  if (wolfSSL_CTX_SetMinVersion(tls, WOLFSSL_TLSV1_2) != WOLFSSL_SUCCESS) complain("version refused", "TLS 1.2");
  int groups[] = {WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_SECP384R1};
  if (wolfSSL_CTX_set_groups(tls, groups, 3) != WOLFSSL_SUCCESS) complain("groups refused", "X25519, P-256, P-384");

  load_self_signed(tls);

  enum { connections = 64 };
  WOLFSSL* sessions[connections];
  size_t before = mallinfo2().uordblks;
  for (int i = 0; i < connections; ++i) sessions[i] = wolfSSL_new(tls);
  size_t after = mallinfo2().uordblks;
  for (int i = 0; i < connections; ++i) {
    if (sessions[i] == NULL) complain("wolfSSL_new failed", "server");
    wolfSSL_free(sessions[i]);
  }
  printf("heap of a new server session: %zu bytes\n", (after - before) / connections);
  wolfSSL_CTX_free(tls);
}

/* Never called: the link fails if one of the functions that certs/ and tls/ are built on is missing. */
int names_that_must_link(void);
int names_that_must_link(void) {
  const void* const functions[] = {
      (const void*)wc_MakeCert_ex,
      (const void*)wc_MakeCertReq_ex,
      (const void*)wc_SignCert_ex,
      (const void*)wc_SetAltNamesBuffer,
      (const void*)wc_MakeRsaKey,
      (const void*)wc_DerToPem,
      (const void*)wc_PemToDer,
      (const void*)wc_CreatePKCS8Key,
      (const void*)wc_RsaKeyToDer,
      (const void*)wc_CryptoCb_RegisterDevice,
      (const void*)wolfSSL_CTX_SetDevId,
      (const void*)wolfSSL_CTX_SetEccSignCb,
      (const void*)wolfSSL_CTX_SetRsaSignCb,
      (const void*)wolfSSL_CTX_set_servername_callback,
      (const void*)wolfSSL_UseALPN,
      (const void*)wolfSSL_CTX_set_TicketEncCb,
      (const void*)wolfSSL_CTX_LoadCRLBuffer,
      (const void*)wolfSSL_CTX_load_system_CA_certs,
      (const void*)wolfSSL_CTX_EnableOCSPStapling,
  };
  int linked = 0;
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; ++i) linked += functions[i] != NULL;
  return linked;
}

int main(void) {
  if (wolfSSL_Init() != WOLFSSL_SUCCESS) {
    complain("wolfSSL_Init failed", "library");
    return 1;
  }
  check_suites();
  check_protocols_and_heap();
  if (names_that_must_link() == 0) complain("no function linked", "library");
  wolfSSL_Cleanup();
  return failures == 0 ? 0 : 1;
}
