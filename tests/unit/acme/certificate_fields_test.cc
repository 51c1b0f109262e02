#include "acme/certificate_fields.h"
#include "unit/tls/authority.h"

#include <gtest/gtest.h>

namespace sluice::acme {
namespace {

TEST(CertificateFields, AreReadFromEveryCertificate) {
  const test::Authority authority("Root of All");
  const std::string der = test::der_of(authority.issue({.serial = 0x80ff}).certificate);
  const auto fields = read_certificate_fields(as_bytes(der));
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->issuer_common_name, "Root of All");
  EXPECT_EQ(as_text(fields->serial), std::string_view("\0\x80\xff", 3));
}

TEST(CertificateFields, OfWhatIsCutOffOrLongerAreNone) {
  const test::Authority authority("Root");
  const std::string der = test::der_of(authority.certificate());
  for (size_t size = 0; size < der.size(); ++size)
    EXPECT_FALSE(read_certificate_fields(as_bytes(std::string_view(der).substr(0, size))));
  EXPECT_FALSE(read_certificate_fields(as_bytes(der + "x")));
}

}  // namespace
}  // namespace sluice::acme
