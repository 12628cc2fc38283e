"""The tables of the organisation, as far as guard and synchroniser touch them."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.dataverse.choices import CHOICES
from sandbox.dataverse.columns import (
    EMAIL,
    ENDPOINT,
    IMAGE,
    JOB,
    MAILBOX,
    ORGANIZATION,
    OWNED,
    PROFILE,
    ROUTING,
    STATE,
    STEP,
    SYSTEMUSER,
)
from sandbox.dataverse.schema import Relation, Table, describe

_ALL = (
    describe("mailbox", "mailboxes", MAILBOX + OWNED + STATE, choices=CHOICES, type_code=9606),
    describe(
        "systemuser",
        "systemusers",
        SYSTEMUSER + ROUTING,
        name_column="fullname",
        choices=CHOICES,
        type_code=8,
        relations=(
            Relation(
                "systemuserroles_association",
                "role",
                between="systemuserroles",
                near="systemuserid",
                far="roleid",
            ),
            Relation(
                "teammembership_association",
                "team",
                between="teammembership",
                near="systemuserid",
                far="teamid",
            ),
        ),
    ),
    describe(
        "queue",
        "queues",
        "name string:200\ndescription string\nemailaddress string:100\n"
        "incomingemailfilteringmethod int =0\nqueueviewtype choice:queueview =0"
        + ROUTING
        + OWNED
        + STATE,
        choices=CHOICES,
        type_code=2020,
    ),
    describe(
        "email",
        "emails",
        EMAIL + OWNED,
        key="activityid",
        name_column="subject",
        choices=CHOICES,
        type_code=4202,
        relations=(
            Relation("email_activity_parties", "activityparty", lookup="activityid"),
            Relation("email_activity_mime_attachment", "activitymimeattachment", lookup="objectid"),
        ),
    ),
    describe(
        "activityparty",
        "activityparties",
        "activityid lookup:email\npartyid lookup:systemuser,queue,contact,account\n"
        "participationtypemask choice:participation\naddressused string:320\n"
        "addressusedemailcolumnnumber int\nresolutionstatus int",
        name_column="addressused",
        choices=CHOICES,
        type_code=135,
    ),
    describe(
        "activitymimeattachment",
        "activitymimeattachments",
        "filename string:255\nmimetype string:256\nbody string\nfilesize int !r\n"
        "attachmentnumber int\nsubject string:2000\nattachmentcontentid string:250\n"
        "isfollowed bool =false\nobjectid lookup:email,activitypointer\nobjecttypecode string\n"
        "attachmentid guid",
        name_column="filename",
        choices=CHOICES,
        type_code=1001,
    ),
    describe(
        "contact",
        "contacts",
        "fullname string:160\nfirstname string:50\nlastname string:50\njobtitle string:100\n"
        "emailaddress1 string:100\nemailaddress2 string:100\nemailaddress3 string:100\n"
        "telephone1 string:50\nmobilephone string:50\naddress1_city string:80\n"
        "description string:2000\nparentcustomerid lookup:account,contact" + OWNED + STATE,
        name_column="fullname",
        choices=CHOICES,
        type_code=2,
    ),
    describe(
        "account",
        "accounts",
        "name string:160\naccountnumber string:20\nemailaddress1 string:100\n"
        "telephone1 string:50\nwebsiteurl string:200\naddress1_city string:80\n"
        "description string:2000\nnumberofemployees int\nindustrycode int\n"
        "primarycontactid lookup:contact" + OWNED + STATE,
        choices=CHOICES,
        type_code=1,
    ),
    describe(
        "role",
        "roles",
        "name string:100\nroletemplateid lookup:roletemplate\nparentrootroleid lookup:role !r\n"
        "parentroleid lookup:role !r\nbusinessunitid lookup:businessunit\nismanaged bool =true !r",
        choices=CHOICES,
        type_code=1036,
        relations=(
            Relation(
                "systemuserroles_association",
                "systemuser",
                between="systemuserroles",
                near="roleid",
                far="systemuserid",
            ),
            Relation(
                "teamroles_association", "team", between="teamroles", near="roleid", far="teamid"
            ),
            Relation(
                "roleprivileges_association",
                "privilege",
                between="roleprivileges",
                near="roleid",
                far="privilegeid",
            ),
        ),
    ),
    # Notes; here only those that regard nothing.
    describe(
        "annotation",
        "annotations",
        "subject string:500\nnotetext string:100000\nisdocument bool =false" + OWNED,
        name_column="subject",
        type_code=5,
    ),
    describe("roletemplate", "roletemplates", "name string:100", type_code=1037),
    describe(
        "team",
        "teams",
        "name string:160\nteamtype choice:teamtype =0\nazureactivedirectoryobjectid guid\n"
        "isdefault bool =false !r\nbusinessunitid lookup:businessunit",
        choices=CHOICES,
        type_code=9,
        relations=(
            Relation(
                "teammembership_association",
                "systemuser",
                between="teammembership",
                near="teamid",
                far="systemuserid",
            ),
            Relation(
                "teamroles_association", "role", between="teamroles", near="teamid", far="roleid"
            ),
        ),
    ),
    describe(
        "systemuserroles",
        "systemuserrolescollection",
        "systemuserid guid\nroleid guid",
        key="systemuserroleid",
        type_code=15,
    ),
    describe("teammembership", "teammemberships", "systemuserid guid\nteamid guid", type_code=23),
    describe(
        "teamroles",
        "teamrolescollection",
        "teamid guid\nroleid guid",
        key="teamroleid",
        type_code=40,
    ),
    describe("privilege", "privileges", "name string:100\naccessright int", type_code=1023),
    describe(
        "roleprivileges",
        "roleprivilegescollection",
        "roleid guid\nprivilegeid guid\nprivilegedepthmask int",
        key="roleprivilegeid",
        type_code=12,
    ),
    describe(
        "businessunit",
        "businessunits",
        "name string:160\nparentbusinessunitid lookup:businessunit",
        type_code=10,
    ),
    describe("organization", "organizations", ORGANIZATION, type_code=1019),
    describe(
        "emailserverprofile",
        "emailserverprofiles",
        PROFILE + OWNED + STATE,
        choices=CHOICES,
        type_code=9605,
    ),
    describe(
        "serviceendpoint",
        "serviceendpoints",
        ENDPOINT,
        choices=CHOICES,
        type_code=4618,
        relations=(
            Relation(
                "serviceendpoint_sdkmessageprocessingstep",
                "sdkmessageprocessingstep",
                lookup="eventhandler",
            ),
        ),
    ),
    describe(
        "sdkmessage", "sdkmessages", "name string:256\ncategoryname string:25", type_code=4606
    ),
    describe(
        "sdkmessagefilter",
        "sdkmessagefilters",
        "name string\nprimaryobjecttypecode string\nsecondaryobjecttypecode string\n"
        "sdkmessageid lookup:sdkmessage\niscustomprocessingstepallowed bool =true !r\n"
        "availability int =0",
        type_code=4607,
    ),
    describe(
        "sdkmessageprocessingstep",
        "sdkmessageprocessingsteps",
        STEP,
        choices=CHOICES,
        type_code=4608,
        relations=(
            Relation(
                "sdkmessageprocessingstepid_sdkmessageprocessingstepimage",
                "sdkmessageprocessingstepimage",
                lookup="sdkmessageprocessingstepid",
            ),
        ),
    ),
    describe(
        "sdkmessageprocessingstepimage",
        "sdkmessageprocessingstepimages",
        IMAGE,
        choices=CHOICES,
        type_code=4615,
    ),
    describe(
        "appnotification",
        "appnotifications",
        "title string:256\nbody string:500\ndata string:5000\nicontype choice:notificationicon "
        "=100000000\ntoasttype choice:toast =200000000\npriority choice:notificationpriority "
        "=200000000\nttlinseconds int" + OWNED,
        name_column="title",
        choices=CHOICES,
        type_code=10100,
    ),
    describe(
        "usersettings",
        "usersettingscollection",
        "uilanguageid int =0\nlocaleid int =1033\nhelplanguageid int =0",
        key="systemuserid",
        name_column="systemuserid",
        type_code=150,
    ),
    describe("asyncoperation", "asyncoperations", JOB, choices=CHOICES, type_code=4700),
)

TABLES: Mapping[str, Table] = {table.logical: table for table in _ALL}
SETS: Mapping[str, Table] = {table.entity_set: table for table in _ALL}
