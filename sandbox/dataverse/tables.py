"""The tables of the organisation, as far as guard and synchroniser touch them."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.dataverse.choices import CHOICES
from sandbox.dataverse.schema import Relation, Table, describe

_OWNED = """
ownerid lookup:systemuser,team
owningbusinessunit lookup:businessunit !r
"""
_STATE = """
statecode choice:state =0
statuscode choice:status =1
"""
_ROUTING = """
emailrouteraccessapproval choice:approval =0
isemailaddressapprovedbyo365admin bool =false !r
incomingemaildeliverymethod choice:incoming =0
outgoingemaildeliverymethod choice:outgoing =0
defaultmailbox lookup:mailbox !r
"""

_MAILBOX = """
name string:200
emailaddress string:100
emailrouteraccessapproval choice:approval =0
isemailaddressapprovedbyo365admin bool =false
incomingemaildeliverymethod choice:incoming =0
outgoingemaildeliverymethod choice:outgoing =0
actdeliverymethod choice:act =2
incomingemailstatus choice:test =0
outgoingemailstatus choice:test =0
actstatus choice:test =0
mailboxstatus choice:test =0 !r
enabledforincomingemail bool =true
enabledforoutgoingemail bool =true
enabledforact bool =true
testemailconfigurationscheduled bool =false
testemailconfigurationretrycount int =0
testmailboxaccesscompletedon datetime
postponetestemailconfigurationuntil datetime
emailserverprofile lookup:emailserverprofile
regardingobjectid lookup:systemuser,queue !r
isforwardmailbox bool =false !r
isserviceaccount bool =false !r
allowemailconnectortousecredentials bool =false
username string:200
password string:200 !w
ispasswordset bool =false !r
oauthaccesstoken string:1024 !w
oauthrefreshtoken string:256 !w
processanddeleteemails bool =false
processemailreceivedafter datetime
isactsyncorgflagset bool =false
orgmarkedasprimaryforexchangesync bool =false
exchangecontactsimportstatus int =0
officeappsdeploymentstatus int =0
lastsuccessfulsynccompletedon datetime
lastsyncstartedon datetime !r
lastsyncerror string:2048
lastsyncerrorcode int
lastsyncerrorcount int
itemsprocessedforlastsync int
itemsfailedforlastsync int
transientfailurecount int !r
processingstatecode int !r
processinglastattemptedon datetime
mailboxprocessingcontext int
hostid string:256 !r
receivingpostponeduntil datetime !r
postponemailboxprocessinguntil datetime
postponesendinguntil datetime
lastmessageid string:320
undeliverablefolder string:256
ewsurl string:2084
verboseloggingenabled int =0
"""

_SYSTEMUSER = """
fullname string:200
firstname string:256
lastname string:256
domainname string:1024
internalemailaddress string:100
windowsliveid string:1024
personalemailaddress string:100
mobilealertemail string:100
azureactivedirectoryobjectid guid
applicationid guid
applicationiduri string:1024
accessmode choice:access =0
isdisabled bool =false
islicensed bool =true !r
issyncwithdirectory bool =true !r
defaultodbfoldername string:200
businessunitid lookup:businessunit
"""

_EMAIL = """
subject string:200
description string
sender string:250
torecipients string:500
submittedby string:250
messageid string:320
messageiddupcheck guid !r
trackingtoken string:50
mimetype string:256
directioncode bool =true
deliveryattempts int
deliveryprioritycode choice:priority =1
prioritycode choice:priority =1
notifications choice:notifications =0
parentactivityid lookup:email
conversationtrackingid guid
baseconversationindexhash int
delayedemailsendtime datetime
sendersaccountname string:200
emailsendername string:200
actualstart datetime
actualend datetime
scheduledstart datetime
scheduledend datetime
senton datetime !r
regardingobjectid lookup:contact,account,queue,systemuser
conversationindex string:2048 !r
inreplyto string:320 !r
correlationmethod choice:correlation =0 !r
correlatedactivityid lookup:email !r
sendermailboxid lookup:mailbox !r
emailsender lookup:systemuser,queue,contact,account !r
receivingmailboxid lookup:mailbox !r
acceptingentityid lookup:systemuser,queue !r
postponeemailprocessinguntil datetime !r
attachmentcount int =0 !r
safedescription string !r
activitytypecode string !r
statecode choice:emailstate =0
statuscode choice:emailstatus =1
"""

_PROFILE = """
name string:200
description string
servertype choice:servertype =3
defaultserverlocation string:1024
owneremailaddress string:100
exchangeonlinetenantid string:36
oauthclientid string:1024
oauthclientsecret string:1024 !w
incomingcredentialretrieval int =2
outgoingcredentialretrieval int =2
incomingauthenticationprotocol int =0
outgoingauthenticationprotocol int =0
incomingserverlocation string:1024
outgoingserverlocation string:1024
incominguseimpersonation bool =false
outgoinguseimpersonation bool =false
incomingusessl bool =true
outgoingusessl bool =true
useautodiscover bool =true
usedefaulttenantid bool =true
processemailsreceivedafter datetime
maxconcurrentconnections int =10
minpollingintervalinminutes int =0
moveundeliveredemails bool =false
sendemailalert bool =true
"""

_ENDPOINT = """
name string:256
description string
url string:2000
contract choice:contract
authtype choice:endpointauth
authvalue string:2048 !w
isauthvalueset bool =false !r
messageformat int =2
messagecharset int =0
userclaim int =1
connectionmode int =1
namespaceformat int
namespaceaddress string:160
path string:160
solutionnamespace string:160
saskey string:200 !w
saskeyname string:256
"""

_STEP = """
name string:256
description string:256
stage choice:stage
mode choice:mode
rank int =1
supporteddeployment int =0
invocationsource int =0
asyncautodelete bool =false
filteringattributes string
canbebypassed bool =false
configuration string
eventhandler lookup:serviceendpoint,plugintype
sdkmessageid lookup:sdkmessage
sdkmessagefilterid lookup:sdkmessagefilter
impersonatinguserid lookup:systemuser
plugintypeid lookup:plugintype
statecode choice:stepstate =0
statuscode choice:stepstatus =1
"""

_IMAGE = """
name string:256
description string:256
entityalias string:256
imagetype choice:image
messagepropertyname string:256
attributes string
relatedattributename string:256
sdkmessageprocessingstepid lookup:sdkmessageprocessingstep
"""

_JOB = """
name string:256
message string
friendlymessage string
errorcode int
operationtype int =1
messagename string
depth int
primaryentitytype string
correlationid guid
owningextensionid lookup:sdkmessageprocessingstep
regardingobjectid lookup:mailbox,systemuser,queue,email
startedon datetime
completedon datetime
retrycount int =0
statecode choice:jobstate =0
statuscode choice:jobstatus =0
"""

_ORGANIZATION = """
name string:160
requireapprovalforuseremail bool =true
requireapprovalforqueueemail bool =true
maxuploadfilesize int =5242880
expirechangetrackingindays int =7
orgdborgsettings string
isauditenabled bool =false
trackingprefix string:256
"""

_ALL = (
    describe("mailbox", "mailboxes", _MAILBOX + _OWNED + _STATE, choices=CHOICES, type_code=9606),
    describe(
        "systemuser",
        "systemusers",
        _SYSTEMUSER + _ROUTING,
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
        + _ROUTING
        + _OWNED
        + _STATE,
        choices=CHOICES,
        type_code=2020,
    ),
    describe(
        "email",
        "emails",
        _EMAIL + _OWNED,
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
        "fullname string:160\nemailaddress1 string:100\n"
        "emailaddress2 string:100\nemailaddress3 string:100" + _OWNED + _STATE,
        name_column="fullname",
        choices=CHOICES,
        type_code=2,
    ),
    describe(
        "account",
        "accounts",
        "name string:160\nemailaddress1 string:100" + _OWNED + _STATE,
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
    describe("organization", "organizations", _ORGANIZATION, type_code=1019),
    describe(
        "emailserverprofile",
        "emailserverprofiles",
        _PROFILE + _OWNED + _STATE,
        choices=CHOICES,
        type_code=9605,
    ),
    describe(
        "serviceendpoint",
        "serviceendpoints",
        _ENDPOINT,
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
        _STEP,
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
        _IMAGE,
        choices=CHOICES,
        type_code=4615,
    ),
    describe("asyncoperation", "asyncoperations", _JOB, choices=CHOICES, type_code=4700),
)

TABLES: Mapping[str, Table] = {table.logical: table for table in _ALL}
SETS: Mapping[str, Table] = {table.entity_set: table for table in _ALL}
