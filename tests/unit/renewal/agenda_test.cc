#include "renewal/agenda.h"

#include "base/limits.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace sluice::renewal {
namespace {

using namespace std::chrono_literals;

constexpr WallTime kNow{1'800'000'000s};
constexpr WallTime kNever = WallTime::max();

class AgendaTest : public testing::Test {
 protected:
  AgendaTest() {
    config::Issuer issuer;
    issuer.key = {"default", "acme"};
    issuer.kind = config::AcmeIssuer();
    documents_.issuers.push_back(std::move(issuer));
  }

  Entry& add(const std::string& name, std::vector<std::string> names) {
    Entry& entry = entries_[{"default", name}];
    entry.certificate.key = {"default", name};
    entry.certificate.issuer = "default/acme";
    entry.subject.names.dns_names = std::move(names);
    entry.digest = "digest";
    return entry;
  }

  // Ninety days, of which one has passed.
  Entry& add_issued(const std::string& name) {
    Entry& entry = add(name, {name + ".example.com"});
    entry.record.issued = Issued{.digest = "digest",
                                 .serial = "01",
                                 .issuer = "default/acme",
                                 .certificate_id = "",
                                 .issued = kNow - 24h,
                                 .not_before = kNow - 24h,
                                 .not_after = kNow + 89 * 24h,
                                 .is_revoked = false};
    entry.record.renewal = renewal_of(entry, *entry.record.issued);
    return entry;
  }

  void add_revocation(const std::string& name, const std::string& certificate) {
    config::Revocation revocation;
    revocation.key = {"default", name};
    revocation.certificate = {"default", certificate};
    documents_.revocations.push_back(std::move(revocation));
  }

  WallTime due(const Entry& entry) const { return due_time(entry, documents_, what_is_in_use(entries_, kNow), kNow); }
  bool works(const Entry& entry) const { return is_working(entry, documents_, what_is_in_use(entries_, kNow), kNow); }

  Entries entries_;
  config::ManagedCertificates documents_;
};

TEST_F(AgendaTest, ANewCertificateIsDueAtOnce) {
  const Entry& entry = add("web", {"a.example.com"});
  EXPECT_TRUE(is_wanted(entry, what_is_in_use(entries_, kNow), kNow));
  EXPECT_LE(due(entry), kNow);
  EXPECT_TRUE(works(entry));
}

TEST_F(AgendaTest, AnIssuedOneIsDueWhenItIsRenewed) {
  Entry& entry = add_issued("web");
  EXPECT_FALSE(is_wanted(entry, what_is_in_use(entries_, kNow), kNow));
  EXPECT_EQ(due(entry), entry.record.renewal);
  EXPECT_FALSE(works(entry));
  EXPECT_TRUE(is_wanted(entry, what_is_in_use(entries_, kNow), entry.record.renewal));
  entry.record.issued->certificate_id = "aki.serial";
  EXPECT_LE(due(entry), kNow) << "the authority is asked when";
  entry.record.ask_for_window = kNow + 1h;
  EXPECT_EQ(due(entry), kNow + 1h);
  entry.record.ask_for_window = kNow + 1000h;
  EXPECT_EQ(due(entry), kNow) << "longer than any pause is: the clock has been set";
}

TEST_F(AgendaTest, WhatMakesAnIssuedOneWanted) {
  Entry& entry = add_issued("web");
  entry.digest = "another";
  EXPECT_TRUE(is_wanted(entry, what_is_in_use(entries_, kNow), kNow)) << "the document asks for something else";
  entry.is_imported = true;
  EXPECT_FALSE(is_wanted(entry, what_is_in_use(entries_, kNow), kNow)) << "a person's is left alone";
  entry.record.is_renew_wanted = true;
  EXPECT_TRUE(is_wanted(entry, what_is_in_use(entries_, kNow), kNow)) << "unless told otherwise";

  Entry& renewed = add_issued("renewed");
  renewed.certificate.renew = true;
  EXPECT_TRUE(is_wanted(renewed, what_is_in_use(entries_, kNow), kNow));
  renewed.record.is_renew_done = true;
  EXPECT_FALSE(is_wanted(renewed, what_is_in_use(entries_, kNow), kNow)) << "once";

  Entry& revoked = add_issued("revoked");
  revoked.record.issued->is_revoked = true;
  EXPECT_FALSE(is_wanted(revoked, what_is_in_use(entries_, kNow), kNow));
  EXPECT_EQ(due(revoked), kNever);
}

TEST_F(AgendaTest, NothingIsDueWhileDocumentsForbidIt) {
  Entry& entry = add("web", {"a.example.com"});
  entry.certificate.problem = "no Issuer";
  EXPECT_EQ(due(entry), kNever);
  EXPECT_FALSE(works(entry));
  entry.certificate.problem.clear();
  entry.certificate.user_secret = SourcePlace();
  EXPECT_EQ(due(entry), kNever);
  entry.record.dns_records = {{.name = "_acme-challenge.a.example.com.", .value = "value", .issuer = "default/acme"}};
  EXPECT_LE(due(entry), kNow) << "what an order has left is removed";
  entry.record.dns_records.clear();
  entry.trouble = "cannot be read";
  EXPECT_LE(due(entry), kNow) << "it is looked at again";
}

TEST_F(AgendaTest, AFailureIsWaitedOut) {
  Entry& entry = add("web", {"a.example.com"});
  entry.record.backoff = after_failure({}, FailureKind::passing, kNow);
  EXPECT_EQ(due(entry), kNow + limits::renewal_retry_step);
  EXPECT_TRUE(is_wanted(entry, what_is_in_use(entries_, kNow), kNow));
  EXPECT_FALSE(works(entry));
  entry.record.backoff = after_failure({}, FailureKind::passing, kNow + 1h);
  EXPECT_LE(due(entry), kNow) << "of a time to come: the clock has been set back";
}

TEST_F(AgendaTest, ANameThatHasFailedKeepsOthersBackForAnHour) {
  Entry& failed = add("failed", {"a.example.com", "b.example.com"});
  failed.record.failed_orders = {{.names = {"a.example.com", "b.example.com"}, .time = kNow - 20min}};
  const Entry& same = add("same", {"b.example.com"});
  const Entry& other = add("other", {"c.example.com"});
  EXPECT_EQ(due(same), kNow + 40min);
  EXPECT_LE(due(other), kNow);
  failed.record.failed_orders.front().time = kNow - 1h;
  EXPECT_LE(due(same), kNow);
  failed.record.failed_orders.front().time = kNow + 1min;
  EXPECT_LE(due(same), kNow) << "of a time to come: the clock has been set back";
}

TEST_F(AgendaTest, WhatACertificateLeftBehindIsRemovedAndStillKeepsItsNamesBack) {
  Entry& left = add("left", {});
  left.is_left_behind = true;
  EXPECT_EQ(due(left), kNever);
  EXPECT_FALSE(works(left));
  left.record.failed_orders = {{.names = {"a.example.com"}, .time = kNow}};
  const Entry& renamed = add("renamed", {"a.example.com"});
  EXPECT_EQ(due(renamed), kNow + 1h);
  left.record.dns_records = {{.name = "_acme-challenge.a.example.com.", .value = "value", .issuer = "default/acme"}};
  EXPECT_LE(due(left), kNow);
}

TEST_F(AgendaTest, WhatIsRenewedFirstIsRevokedWhenNothingServesIt) {
  Entry& entry = add_issued("web");
  Entry& same = add_issued("same");
  entry.record.revoking = PendingRevocation{
      .certificate_pem = "", .serial = "01", .issuer = "default/acme", .document = "", .is_after_renewal = true};
  EXPECT_FALSE(can_revoke(entry, what_is_in_use(entries_, kNow)));
  EXPECT_LE(due(entry), kNow) << "it is renewed";
  EXPECT_LE(due(same), kNow) << "another that has the same certificate too";
  entry.record.issued->serial = "02";
  EXPECT_EQ(due(entry), entry.record.renewal);
  EXPECT_FALSE(can_revoke(entry, what_is_in_use(entries_, kNow))) << "the other has it still";
  same.certificate.problem = "it will never be renewed";
  EXPECT_TRUE(can_revoke(entry, what_is_in_use(entries_, kNow)));
  EXPECT_LE(due(entry), kNow);
  same.certificate.problem.clear();
  entry.record.revoking->is_after_renewal = false;
  EXPECT_TRUE(can_revoke(entry, what_is_in_use(entries_, kNow)));
}

TEST_F(AgendaTest, SignersOfOurOwnAreNotKeptBack) {
  config::Issuer own;
  own.key = {"default", "own"};
  own.kind = config::SelfSignedIssuer();
  documents_.issuers.push_back(std::move(own));
  Entry& failed = add("failed", {"a.example.com"});
  failed.record.failed_orders = {{.names = {"a.example.com"}, .time = kNow}};
  Entry& entry = add("own", {"a.example.com"});
  entry.certificate.issuer = "default/own";
  EXPECT_LE(due(entry), kNow);
}

TEST_F(AgendaTest, WhatAnOrderLeftBehindComesBeforeTheNext) {
  Entry& entry = add_issued("web");
  entry.record.dns_records = {{.name = "_acme-challenge.a.example.com.", .value = "value", .issuer = "default/acme"}};
  EXPECT_LE(due(entry), kNow);
  entry.next_step = kNow + 5s;
  EXPECT_EQ(due(entry), kNow + 5s);
  entry.next_step = kNow + 24h;
  EXPECT_EQ(due(entry), kNow) << "longer than any pause is: the clock has been set";
}

TEST_F(AgendaTest, RevocationsAreDueOnce) {
  Entry& entry = add_issued("web");
  add_revocation("of-another", "other");
  EXPECT_EQ(due_revocation(entry, documents_), nullptr);
  add_revocation("of-web", "web");
  ASSERT_NE(due_revocation(entry, documents_), nullptr);
  EXPECT_EQ(due_revocation(entry, documents_)->key.name, "of-web");
  EXPECT_LE(due(entry), kNow);
  EXPECT_TRUE(works(entry));
  entry.revoke_after = kNow + 10min;
  EXPECT_EQ(due(entry), kNow + 10min);
  entry.record.revocations = {"default/of-web"};
  EXPECT_EQ(due_revocation(entry, documents_), nullptr);
  documents_.revocations.back().problem = "it cannot be followed";
  entry.record.revocations.clear();
  EXPECT_EQ(due_revocation(entry, documents_), nullptr);
}

TEST_F(AgendaTest, RenewalsNeverRunInACircle) {
  Entry& entry = add_issued("web");
  Issued issued = *entry.record.issued;
  entry.record.suggested = SuggestedWindow{.start = kNow - 100h, .end = kNow - 99h};
  EXPECT_EQ(renewal_of(entry, issued), issued.issued + limits::renewal_pause_max) << "of an authority's wish";
  entry.certificate.ensure_renewed_after = kNow - 48h;
  EXPECT_EQ(renewal_of(entry, issued), issued.issued + limits::renewal_pause_max) << "fulfilled";
  entry.certificate.ensure_renewed_after = kNow - 1h;
  EXPECT_EQ(renewal_of(entry, issued), kNow - 1h) << "a document's wish is followed at once";
  entry.certificate.ensure_renewed_after.reset();
  entry.record.suggested.reset();
  issued.not_before = kNow - 20min;
  issued.not_after = kNow - 10min;
  issued.issued = kNow;
  EXPECT_EQ(renewal_of(entry, issued), kNow + limits::renewal_pause_max) << "expired when it came: clocks disagree";
}

}  // namespace
}  // namespace sluice::renewal
